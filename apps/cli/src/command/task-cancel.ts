import { defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import { textOption } from "../option.ts";
import { taskStateWord } from "../word.ts";

/** `drover task cancel` */
export const taskCancel = defineCommand({
  name: "task cancel",
  summary: "Cancel tasks.",
  about: "A task that runs is cancelled once its holder has stopped it; until then its state is running.",
  positionals: [{ name: "ID", doc: "The task to cancel.", isRepeatable: true }],
  options: { reason: textOption({ doc: "Why; it is kept with the task.", placeholder: "TEXT" }) },
  examples: [{ line: 'drover task cancel t0s87r5pwsp000 --reason "wrong input"', meaning: "Cancel a task" }],
  run: (context, { positionals, options }) =>
    changeEach(context, positionals, async (id) => {
      const { state } = await context.client.tasks.cancelTask(
        { id, reason: options.reason ?? "" },
        { signal: context.signal },
      );
      const word = taskStateWord(state);
      if (word === "cancelled") return { state: word, text: "cancelled" };
      if (word === "running")
        return { state: word, text: `cancelling: its holder has been asked. Try: drover task watch ${id}` };
      return { state: word, text: `was ${word} already` };
    }),
});
