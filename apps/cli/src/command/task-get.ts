import { defineCommand } from "../command.ts";
import { notAnswered } from "../fault.ts";
import { showTask, taskJson } from "../task-view.ts";

/** `drover task get` */
export const taskGet = defineCommand({
  name: "task get",
  summary: "Show a task: its state, why it waits, its attempts, its result.",
  positionals: [{ name: "ID", doc: "The task to show." }],
  options: {},
  examples: [
    { line: "drover task get t0s87r5pwsp000", meaning: "Show a task" },
    { line: "drover task get t0s87r5pwsp000 --json | jq .result", meaning: "Take its result" },
  ],
  async run({ client, output, signal }, { positionals: [id = ""] }) {
    const { task } = await client.tasks.getTask({ id }, { signal });
    if (task === undefined) throw notAnswered("a task");
    if (output.isJson) output.json(taskJson(task));
    else showTask(task, output, Date.now());
    return 0;
  },
});
