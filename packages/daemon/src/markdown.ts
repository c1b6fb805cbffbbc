import { DroverError } from "@drover/domain/error";

/** Renders a table; what would break its cells is escaped. */
export function markdownTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replace(/\|/g, "\\|").replace(/\s*\n\s*/g, " ")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Replaces what stands between `<!-- generated: name -->` and `<!-- end: name -->` in a page. */
export function replaceGenerated(page: string, { name, body }: { name: string; body: string }): string {
  const [open, close] = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`];
  const start = page.indexOf(open);
  const end = page.indexOf(close);
  if (start < 0 || end < start) {
    throw new DroverError(
      "invalid",
      `Expected the lines ${open} and ${close} in the page, in this order, got a page without. Add them.`,
    );
  }
  return `${page.slice(0, start + open.length)}\n${body}\n${page.slice(end)}`;
}
