import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { RunStep } from "@drover/proto/drover/run";
import { defineCommand } from "../command.ts";
import { took } from "../fact.ts";
import { flagOption, integerOption, textOption } from "../option.ts";
import { stepJson, stepNote, stepStateCell } from "../run-view.ts";
import type { Cell, Column } from "../table.ts";

const pageSize = 1000;

/** `drover run steps` */
export const runSteps = defineCommand({
  name: "run steps",
  summary: "List the steps of a run that were reached, with the items of maps.",
  positionals: [{ name: "RUN", doc: "The run." }],
  options: {
    step: textOption({ doc: "Only this step and its items.", placeholder: "STEP" }),
    limit: integerOption({ doc: "How many; 100 by default.", min: 1, max: 10_000_000 }),
    all: flagOption({ doc: "All of them." }),
  },
  examples: [
    {
      line: "drover run steps run-000655a1b2c3d4e5 --step extract",
      meaning: "Which item failed, and which task it was",
    },
    { line: "drover run steps run-000655a1b2c3d4e5 --all --json | jq '.[].output'", meaning: "Take every output" },
  ],
  async run({ client, output, signal }, { positionals: [id = ""], options }) {
    const limit = options.all ? Number.POSITIVE_INFINITY : (options.limit ?? 100);
    const steps: RunStep[] = [];
    let pageToken = "";
    do {
      const size = Math.min(pageSize, limit - steps.length);
      const page = await client.runs.listRunSteps(
        { id, step: options.step ?? "", pageSize: size, pageToken },
        { signal },
      );
      steps.push(...page.steps);
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && steps.length < limit);
    const nowMs = Date.now();
    if (output.isJson) output.json(steps.map(stepJson));
    else if (steps.length === 0) output.note("No step was reached yet.");
    else
      output.table(
        columns,
        steps.map((step) => row(step, nowMs)),
      );
    if (pageToken !== "") output.note(`There are more. Try: drover run steps ${id} --limit ${limit * 2}, or --all`);
    return 0;
  },
});

const columns: Column[] = [
  { heading: "STEP", isFlexible: true },
  { heading: "ITEM", align: "right" },
  { heading: "STATE" },
  { heading: "TOOK", align: "right" },
  { heading: "BY" },
  { heading: "NOTE", isFlexible: true },
];

function row(step: RunStep, nowMs: number): (Cell | string)[] {
  const { id, item, startedAt, finishedAt, taskId, childRunId } = step;
  const by = childRunId === "" ? taskId : childRunId;
  const note = stepNote(step) || outputText(step);
  return [id, item < 0 ? "" : String(item), stepStateCell(step), took(startedAt, finishedAt, nowMs), by, note];
}

/** The beginning of what a step gave. */
function outputText({ output }: RunStep): string {
  const text = output === undefined ? "" : JSON.stringify(toJson(ValueSchema, output));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
