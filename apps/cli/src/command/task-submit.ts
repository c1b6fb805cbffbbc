import { defineCommand } from "../command.ts";
import { flagOption, textOption } from "../option.ts";
import { submitFile } from "../submit-file.ts";
import { specFromFlags, specOptions } from "../task-spec.ts";
import { waitForTask } from "../wait.ts";

const options = {
  ...specOptions,
  file: textOption({
    doc: "Submit many: a file with one task as JSON a line, or - for standard input.",
    placeholder: "PATH",
    isFile: true,
  }),
  wait: flagOption({ doc: "Wait until it is done; exit 0 if it completed, 1 if not.", short: "w" }),
  watch: flagOption({ doc: "The same, and say each change." }),
  logs: flagOption({ doc: "The same, and show what it prints." }),
} as const;

/** `drover task submit` */
export const taskSubmit = defineCommand({
  name: "task submit",
  summary: "Submit a task, or a file of them.",
  about:
    "The id of the task is written to stdout. A file holds one task a line, as the JSON of drover.v1.TaskSpec; the flags " +
    "--class, --priority, --delay, --timeout, --retries and --label hold for lines that do not say otherwise, and --key " +
    "makes the file safe to submit again: each line gets the key KEY:LINE.",
  positionals: [],
  rest: { name: "COMMAND", doc: "The command to run, with its arguments." },
  options,
  examples: [
    { line: "drover task submit --image busybox -- echo hello", meaning: "Run a command in a container" },
    {
      line: "drover task submit --process --logs -- sh -c 'date; uname -a'",
      meaning: "Run one as a process, show what it prints and wait for it",
    },
    {
      line: `drover task submit --type resize --payload '{"width": 200}'`,
      meaning: "Hand work to a worker of the SDK",
    },
    { line: "drover task submit --file tasks.jsonl --class cpu_long --wait", meaning: "Submit many and wait for all" },
    {
      line: "drover task submit --image busybox --memory 512m --cpus 0.5 --mount /data:/data:ro -- ls /data",
      meaning: "Give it limits and a folder",
    },
  ],
  async run(context, { options: values, rest }) {
    if (values.file !== undefined) return submitFile(context, values.file, values, rest);
    const { client, output, signal, world } = context;
    const task = await specFromFlags(values, rest, world);
    const { id, created } = await client.tasks.submitTask({ task }, { signal });
    if (!values.wait && !values.watch && !values.logs) {
      if (output.isJson) output.json({ id, created });
      else output.line(id);
      output.note(
        created
          ? `Submitted. Try: drover task watch ${id}`
          : `It had been submitted before. Try: drover task get ${id}`,
      );
      return 0;
    }
    if (!output.isJson && !values.logs) output.line(id);
    return waitForTask(context, id, { isWatched: values.watch, hasLogs: values.logs });
  },
});
