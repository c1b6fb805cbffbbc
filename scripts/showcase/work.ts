import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { DroverError } from "@drover/domain/error";
import type { Call } from "./api.ts";
import { type Count, countTask, type Sum, sumTask, type Way } from "./batch.ts";
import { addUp, countAgain, differences } from "./check.ts";
import { followAll, outputOf, submitAll } from "./follow.ts";
import { chooseInput, type InputFile, listInput } from "./input.ts";
import type { Screen } from "./screen.ts";

/** Copies of files of the clone, so that an edit in the middle of the work is no error. */
export interface Input {
  folder: string;
  files: InputFile[];
}

export interface WorkOptions {
  call: Call;
  files: Input;
  way: Way;
  screen: Screen;
  signal: AbortSignal;
}

const deadlineMs = 120_000;
const measures = ["files", "lines", "words", "bytes"] as const;

/** Copies the files that are counted. */
export function copyInput(root: string, folder: string, count: number): Input {
  const files = chooseInput(listInput(root), count);
  for (const { path } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(join(root, path), join(folder, path));
  }
  return { folder, files };
}

/** One task for each file, then one that adds up what they found; everything is counted again by others and compared. */
export async function doWork(options: WorkOptions): Promise<void> {
  const {
    call,
    files: { folder, files },
    way,
    screen,
  } = options;
  const ids = files.map(({ path }) => `count ${path}`);
  screen.line(`${files.length} tasks, one for each file: lines, bytes, checksum, and how often each word occurs.`);
  const tasks = ids.map((id, index) => countTask(join(folder, files[index]?.path ?? ""), id, way));
  await perform(options, ids, tasks, { demo: "count" });
  const counts = await Promise.all(ids.map((id) => outputOf<Count>(call, id, "count.json")));

  screen.line("1 task more: add up what they found.");
  const found = counts.map((count, index) => ({ folder: files[index]?.folder ?? "", count }));
  await perform(options, ["sum"], [sumTask(found, "sum", way)], { demo: "sum" });
  const sum = await outputOf<Sum>(call, "sum", "sum.json");

  showSum(screen, sum);
  const truth = await countAgain(
    folder,
    files.map(({ path }) => path),
  );
  const expected = truth.counts.map((count, index) => ({ folder: files[index]?.folder ?? "", count }));
  const wrong = [
    ...truth.counts.flatMap((count, index) => differences(count, counts[index], files[index]?.path ?? "")),
    ...differences(addUp(expected), sum, "sum"),
  ];
  if (wrong.length > 0) {
    const [first] = wrong;
    throw new DroverError(
      "internal",
      `Not verified: ${truth.tools} say otherwise in ${wrong.length} places, first in ${first}`,
    );
  }
  const verified = screen.paint("Verified", "green");
  screen.line(`${verified}: all ${files.length} results and the totals are what ${truth.tools} say.`);
}

async function perform(
  { call, screen, signal }: WorkOptions,
  ids: string[],
  tasks: object[],
  labels: Record<string, string>,
): Promise<void> {
  const startedAt = performance.now();
  await submitAll(call, tasks);
  const holders = await followAll({ call, ids, labels, signal, deadlineMs, onTally: screen.progress });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  screen.line(screen.paint(`${tasks.length} done in ${seconds} s by ${holders.join(", ")}`, "dim"));
  screen.line();
}

function showSum(screen: Screen, { folders, words }: Sum): void {
  const number = (value: number): string => value.toLocaleString("en-US");
  const rows = Object.entries(folders).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const total = { files: 0, lines: 0, words: 0, bytes: 0 };
  for (const [, facts] of rows) for (const measure of measures) total[measure] += facts[measure];
  screen.table(
    [{ heading: "folder" }, ...measures.map((heading) => ({ heading, align: "right" as const }))],
    [...rows, ["total", total] as const].map(([folder, facts]) => [
      folder,
      ...measures.map((measure) => number(facts[measure])),
    ]),
  );
  screen.line();
  const often = Object.entries(words).toSorted(([a, left], [b, right]) => right - left || (a < b ? -1 : 1));
  const shown = often.slice(0, 6).map(([word, times]) => `${word} ${number(times)}`);
  screen.line(`Most frequent: ${shown.join(", ")}`);
}
