import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { DroverError } from "@drover/domain/error";
import { formatMoney } from "@drover/domain/money";
import type { Terminal } from "../../apps/cli/src/world.ts";
import type { Call } from "./api.ts";
import { createDrover } from "./drover.ts";
import { type ModelChoice, withModel } from "./model.ts";
import { renderReport, type Report } from "./report.ts";
import type { Screen } from "./screen.ts";

export interface FlowOptions {
  root: string;
  /** Of this run of the demo. */
  folder: string;
  address: string;
  call: Call;
  choice: ModelChoice;
  terminal: Terminal;
  screen: Screen;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

const example = "docs/example/document-report.yaml";
const shownLines = 12;

/** Runs the example over the documentation of this clone, says what it cost, and writes its report. */
export async function runFlow(options: FlowOptions): Promise<void> {
  const { root, folder, call, choice, screen } = options;
  const drover = createDrover(options);
  const documents = copyDocuments(root, join(folder, "documents"));
  const place = (path: string): string => relative(root, path);
  screen.line("One workflow: read the documentation, have a model sum up each page, and join that to a report.");
  screen.fact("Model", choice.told);
  screen.line();

  const input = join(folder, "input.json");
  writeFileSync(input, JSON.stringify({ documents }));
  const file = chooseFile(options);
  const code = await drover("workflow", "run", place(file), "--input", place(input), "--watch");
  const run = await newestRun(call);
  if (code !== 0) throw new DroverError("internal", `The run ${run.id} did not complete; the reason is above.`);
  await drover("run", "cost", run.id);
  if ((await drover("budget", "verify")) !== 0)
    throw new DroverError("internal", "Expected a ledger that agrees with every counter; what differs is above.");

  const report = run.steps.find(({ id }) => id === "report")?.output;
  if (report === undefined || report.summaries.length !== documents.length)
    throw new DroverError(
      "internal",
      `Expected a summary of ${documents.length} documents, got ${report?.summaries.length ?? "none"}.`,
    );
  const cost = formatMoney(BigInt(run.statistics?.costNanos ?? 0));
  const model = (await findAnswering(call, run.id)).join(" and ");
  if (choice.model !== undefined && model !== choice.model)
    screen.line(`Not every call of ${choice.model} was answered: ${model} wrote the report.\n`);
  const text = renderReport(report, { model, run: run.id, cost });
  const path = join(root, ".drover/report.md");
  writeFileSync(path, text);
  for (const line of text.split("\n").slice(0, shownLines))
    screen.line(line.length > 100 ? `${line.slice(0, 99)}…` : line);
  screen.line(screen.paint("...", "dim"));
  screen.line();
  screen.fact("Report", `${place(path)}, on ${documents.length} documents, for ${cost}`);
}

/** Copies of the pages, so that an edit in the middle of the work is no error. */
function copyDocuments(root: string, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .toSorted();
  return names.map((name) => {
    copyFileSync(join(root, "docs", name), join(folder, name));
    return join(folder, name);
  });
}

/** The example itself; or a copy that names the model of the provider whose key there is. */
function chooseFile({ root, folder, choice: { model } }: FlowOptions): string {
  const file = join(root, example);
  if (model === undefined) return file;
  const own = join(folder, "document-report.yaml");
  writeFileSync(own, withModel(readFileSync(file, "utf8"), model));
  return own;
}

/** The models that gave something to a run, the one that was behind another among them. */
async function findAnswering(call: Call, runId: string): Promise<string[]> {
  const by = ["REPORT_DIMENSION_PROVIDER", "REPORT_DIMENSION_MODEL"];
  const request = { by, runId, period: "REPORT_PERIOD_LAST_7_DAYS" };
  const { rows = [] } = await call<{ rows?: { keys: string[]; cost?: { outputTokens?: string } }[] }>(
    "BudgetService/GetReport",
    request,
  );
  return rows.filter(({ cost }) => Number(cost?.outputTokens ?? 0) > 0).map(({ keys }) => keys.join("/"));
}

interface RunAnswer {
  id: string;
  steps: { id: string; output?: Report }[];
  statistics?: { costNanos?: string };
}

async function newestRun(call: Call): Promise<RunAnswer> {
  const { runs: [newest] = [] } = await call<{ runs?: { id: string }[] }>("RunService/ListRuns", { pageSize: 1 });
  if (newest === undefined) throw new DroverError("internal", "Expected a run, found none; the reason is above.");
  return (await call<{ run: RunAnswer }>("RunService/GetRun", { id: newest.id })).run;
}
