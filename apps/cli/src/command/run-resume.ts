import { defineCommand } from "../command.ts";
import { flagOption, textOption } from "../option.ts";
import { waitForRun } from "../run-wait.ts";

/** `drover workflow resume` */
export const workflowResume = resumeCommand("workflow resume");

/** `drover run resume` */
export const runResume = resumeCommand("run resume");

function resumeCommand(name: string) {
  return defineCommand({
    name,
    summary: "Take up a run that has ended: what did not complete runs again.",
    about:
      "Steps that completed keep their outputs. With --from that step and everything that hangs on it run again, completed or not.",
    positionals: [{ name: "RUN", doc: "The run to take up." }],
    options: {
      from: textOption({ doc: "Run again from this step on.", placeholder: "STEP" }),
      watch: flagOption({ doc: "Follow it until it has ended." }),
      wait: flagOption({ doc: "Wait until it has ended.", short: "w" }),
    },
    examples: [
      { line: `drover ${name} run-000655a1b2c3d4e5`, meaning: "Try again what failed" },
      { line: `drover ${name} run-000655a1b2c3d4e5 --from judge --watch`, meaning: "Run again from a step on" },
    ],
    async run(context, { positionals: [id = ""], options }) {
      const { client, output, signal } = context;
      const { reset } = await client.runs.resumeRun({ id, fromStep: options.from ?? "" }, { signal });
      const steps = reset === 1 ? "1 step" : `${reset} steps`;
      if (options.watch || options.wait) {
        output.note(`${steps} at most will run again.`);
        return waitForRun(context, id, { isWatched: options.watch });
      }
      if (output.isJson) output.json({ id, reset });
      else output.line(`${id}  goes on: ${steps} at most will run again`);
      output.note(`Try: drover ${name.replace("resume", "watch")} ${id}`);
      return 0;
    },
  });
}
