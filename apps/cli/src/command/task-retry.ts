import { defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import { taskStateWord } from "../word.ts";

/** `drover task retry` */
export const taskRetry = defineCommand({
  name: "task retry",
  summary: "Put failed or cancelled tasks back into their queues.",
  positionals: [{ name: "ID", doc: "The task to run again.", isRepeatable: true }],
  options: {},
  examples: [
    { line: "drover task retry t0s87r5pwsp000", meaning: "Run a failed task again" },
    {
      line: "drover task list --state failed --all --json | jq -r '.[].id' | xargs drover task retry",
      meaning: "Run everything again that failed",
    },
  ],
  run: (context, { positionals }) =>
    changeEach(context, positionals, async (id) => {
      const { state } = await context.client.tasks.retryTask({ id }, { signal: context.signal });
      return { state: taskStateWord(state), text: taskStateWord(state) };
    }),
});
