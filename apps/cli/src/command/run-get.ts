import type { Run } from "@drover/proto/drover/run";
import { type Context, defineCommand } from "../command.ts";
import { notAnswered } from "../fault.ts";
import { layoutRun, runFacts, runJson, runStepColumns, runStepRow } from "../run-view.ts";
import { showOutput } from "../run-wait.ts";
import { runStateWord } from "../word.ts";

/** `drover run get` */
export const runGet = defineCommand({
  name: "run get",
  summary: "Show a run: its state, its steps and what they wait for, its output.",
  positionals: [{ name: "RUN", doc: "The run to show." }],
  options: {},
  examples: [
    { line: "drover run get run-000655a1b2c3d4e5", meaning: "Show a run" },
    { line: "drover run get run-000655a1b2c3d4e5 --json | jq .output", meaning: "Take its output" },
  ],
  async run(context, { positionals: [id = ""] }) {
    const { client, output, signal } = context;
    const { run } = await client.runs.getRun({ id }, { signal });
    if (run === undefined) throw notAnswered("a run");
    if (output.isJson) output.json(runJson(run));
    else showRun(context, run);
    return 0;
  },
});

function showRun({ output }: Context, run: Run): void {
  const nowMs = Date.now();
  output.facts(runFacts(run, nowMs));
  output.line("");
  output.table(
    runStepColumns,
    layoutRun(run).flatMap(({ index, prefix }) => {
      const step = run.steps[index];
      return step === undefined ? [] : [runStepRow(step, prefix, nowMs, step.childRunId)];
    }),
  );
  if (run.output !== undefined) showOutput(run, output);
  const next = nextCommand(run);
  if (next !== undefined) output.note(`\nTry: ${next}`);
}

/** What a person would do with the run as it is. */
function nextCommand(run: Run): string | undefined {
  switch (runStateWord(run.state)) {
    case "failed":
    case "partially_completed":
    case "cancelled":
      return run.parentRunId === "" ? `drover run resume ${run.id}` : `drover run get ${run.parentRunId}`;
    case "pending":
    case "running": {
      const asked = run.steps.find(({ kind, waitingFor }) => kind === "approval" && waitingFor !== "");
      if (asked === undefined) return `drover run watch ${run.id}`;
      const as = asked.waitingFor.includes("approval by") ? " --as NAME" : "";
      return `drover run approve ${run.id} ${asked.id}${as}`;
    }
    default:
      return undefined;
  }
}
