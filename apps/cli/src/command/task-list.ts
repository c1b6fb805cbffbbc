import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { taskStates } from "@drover/domain/task";
import type { Task } from "@drover/proto/drover/task";
import { defineCommand } from "../command.ts";
import { flagOption, integerOption, momentOption, pairsOption, textOption, wordsOption } from "../option.ts";
import { taskColumns, taskJson, taskRow } from "../task-view.ts";
import { taskStateNumber } from "../word.ts";

const pageSize = 1000;

/** `drover task list` */
export const taskList = defineCommand({
  name: "task list",
  summary: "List tasks, newest first.",
  positionals: [],
  options: {
    state: wordsOption({ doc: "Only tasks in these states.", words: taskStates, placeholder: "STATE" }),
    class: textOption({ doc: "Only tasks of this class.", placeholder: "NAME" }),
    label: pairsOption({ doc: "Only tasks that carry this label.", short: "l" }),
    since: momentOption({ doc: "Only tasks submitted after this time." }),
    until: momentOption({ doc: "Only tasks submitted before this time." }),
    limit: integerOption({ doc: "How many; 50 by default.", min: 1, max: 10_000_000 }),
    all: flagOption({ doc: "All of them." }),
  },
  examples: [
    { line: "drover task list --state failed --since 1h", meaning: "What failed within the last hour" },
    {
      line: "drover task list -l team=ml --class gpu --all --json | jq length",
      meaning: "Count what a team has on the GPUs",
    },
  ],
  async run({ client, output, signal }, { options }) {
    const limit = options.all ? Number.POSITIVE_INFINITY : (options.limit ?? 50);
    const tasks: Task[] = [];
    let pageToken = "";
    do {
      const page = await client.tasks.listTasks(
        {
          pageSize: Math.min(pageSize, limit - tasks.length),
          pageToken,
          states: options.state.map(taskStateNumber),
          class: options.class ?? "",
          labels: options.label,
          ...(options.since && { createdAfter: timestampFromDate(options.since) }),
          ...(options.until && { createdBefore: timestampFromDate(options.until) }),
        },
        { signal },
      );
      tasks.push(...page.tasks);
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && tasks.length < limit);
    if (output.isJson) output.json(tasks.map(taskJson));
    else if (tasks.length === 0) output.note("There are no such tasks.");
    else
      output.table(
        taskColumns,
        tasks.map((task) => taskRow(task, Date.now())),
      );
    if (pageToken !== "") output.note(`There are more. Try: drover task list --limit ${limit * 2}, or --all`);
    return 0;
  },
});
