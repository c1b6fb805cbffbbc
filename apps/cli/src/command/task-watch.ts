import { showChange } from "../change.ts";
import { defineCommand } from "../command.ts";
import { followTasks } from "../follow.ts";
import { taskStateWord } from "../word.ts";

/** `drover task watch` */
export const taskWatch = defineCommand({
  name: "task watch",
  summary: "Follow tasks until all are done.",
  about:
    "Says each task as it is now, then each change. Exits 0 when all have completed, 1 when one failed or was cancelled.",
  positionals: [{ name: "ID", doc: "The task to follow.", isRepeatable: true }],
  options: {},
  examples: [
    { line: "drover task watch t0s87r5pwsp000", meaning: "Follow one task" },
    { line: "drover task watch --json t0s87r5pwsp000 | jq -r .state", meaning: "One JSON object a line, for programs" },
  ],
  async run({ client, output, signal }, { positionals }) {
    const last = await followTasks({ client, ids: positionals, signal, onChange: (task) => showChange(task, output) });
    return last.values().every((task) => taskStateWord(task.state) === "completed") ? 0 : 1;
  },
});
