import { type RunState, runLifecycle } from "@drover/domain/workflow/lifecycle";
import type { Run } from "@drover/proto/drover/run";
import { defineCommand } from "../command.ts";
import { flagOption, integerOption, textOption, wordsOption } from "../option.ts";
import { runColumns, runJson, runRow } from "../run-view.ts";
import { runStateNumber } from "../word.ts";

const pageSize = 1000;
const states = Object.keys(runLifecycle.states) as RunState[];

/** `drover run list` */
export const runList = defineCommand({
  name: "run list",
  summary: "List runs, newest first.",
  positionals: [],
  options: {
    workflow: textOption({ doc: "Only runs of this workflow.", placeholder: "NAME" }),
    state: wordsOption({ doc: "Only runs in these states.", words: states, placeholder: "STATE" }),
    inside: textOption({ doc: "The runs nested in this one instead.", placeholder: "RUN" }),
    limit: integerOption({ doc: "How many; 50 by default.", min: 1, max: 10_000_000 }),
    all: flagOption({ doc: "All of them." }),
  },
  examples: [
    { line: "drover run list --workflow report --state failed,partially_completed", meaning: "What went wrong" },
    { line: "drover run list --all --json | jq length", meaning: "Count all" },
  ],
  async run({ client, output, signal }, { options }) {
    const limit = options.all ? Number.POSITIVE_INFINITY : (options.limit ?? 50);
    const runs: Run[] = [];
    let pageToken = "";
    do {
      const page = await client.runs.listRuns(
        {
          pageSize: Math.min(pageSize, limit - runs.length),
          pageToken,
          workflow: options.workflow ?? "",
          states: options.state.map(runStateNumber),
          parentRunId: options.inside ?? "",
        },
        { signal },
      );
      runs.push(...page.runs);
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && runs.length < limit);
    if (output.isJson) output.json(runs.map(runJson));
    else if (runs.length === 0) output.note("There are no such runs.");
    else
      output.table(
        runColumns,
        runs.map((run) => runRow(run, Date.now())),
      );
    if (pageToken !== "") output.note(`There are more. Try: drover run list --limit ${limit * 2}, or --all`);
    return 0;
  },
});
