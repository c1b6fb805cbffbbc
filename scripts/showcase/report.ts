/** What the step `report` of the example gives. */
export interface Report {
  documents: { file: string; title: string; words: number; start: string }[];
  summaries: ({ summary: string } | null)[];
  overview: string | null;
  words: number;
}

export interface ReportFacts {
  /** Who wrote the sentences. */
  model: string;
  run: string;
  cost: string;
}

/** The report as Markdown. What documents and models say is a text here, never markup. */
export function renderReport(
  { documents, summaries, overview, words }: Report,
  { model, run, cost }: ReportFacts,
): string {
  const number = (value: number): string => value.toLocaleString("en-US");
  const sections = documents.flatMap(({ file, title, words: own }, index) => [
    `## ${plain(title || file)}`,
    `\`${file}\`, ${number(own)} words`,
    plain(summaries[index]?.summary ?? "No summary: the call failed."),
  ]);
  const parts = [
    `# Report on ${documents.length} documents`,
    `${number(words)} words; summaries by ${model}; run ${run}, ${cost}.`,
    plain(overview ?? "No overview: the call failed."),
    ...sections,
  ];
  return `${parts.join("\n\n")}\n`;
}

function plain(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\\`*_[\]<>#|]/g, String.raw`\$&`);
}
