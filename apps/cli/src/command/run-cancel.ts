import { defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import { textOption } from "../option.ts";
import { runStateWord } from "../word.ts";

/** `drover workflow cancel` */
export const workflowCancel = cancelCommand("workflow cancel");

/** `drover run cancel` */
export const runCancel = cancelCommand("run cancel");

function cancelCommand(name: string) {
  return defineCommand({
    name,
    summary: "Cancel runs: nothing further starts, and what runs is stopped.",
    about: "A run is cancelled once everything has stopped; until then its state is running.",
    positionals: [{ name: "RUN", doc: "The run to cancel.", isRepeatable: true }],
    options: { reason: textOption({ doc: "Why; it is kept with the run.", placeholder: "TEXT" }) },
    examples: [{ line: `drover ${name} run-000655a1b2c3d4e5 --reason "wrong input"`, meaning: "Cancel a run" }],
    run: (context, { positionals, options }) =>
      changeEach(context, positionals, async (id) => {
        const request = { id, reason: options.reason ?? "" };
        const { state } = await context.client.runs.cancelRun(request, { signal: context.signal });
        const word = runStateWord(state);
        const text =
          word === "cancelled"
            ? "cancelled"
            : word === "running" || word === "pending"
              ? `cancelling: what runs is being stopped. Try: drover ${name.replace("cancel", "watch")} ${id}`
              : `had ${word.replace("_", " ")} already`;
        return { state: word, text };
      }),
  });
}
