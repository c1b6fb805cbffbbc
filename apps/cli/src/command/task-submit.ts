import type { Task } from "@drover/proto/drover/task";
import { type Context, defineCommand } from "../command.ts";
import { formatDuration } from "../duration.ts";
import type { ExitCode } from "../exit.ts";
import { followTasks, isTaskFinal } from "../follow.ts";
import { showLogLine, streamLog } from "../log-stream.ts";
import { flagOption, textOption } from "../option.ts";
import { submitFile } from "../submit-file.ts";
import { specFromFlags, specOptions } from "../task-spec.ts";
import { errorText, taskJson } from "../task-view.ts";
import { taskStateWord } from "../word.ts";
import { showChange } from "./task-watch.ts";

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
    return waitFor(context, id, { isWatched: values.watch, hasLogs: values.logs });
  },
});

async function waitFor(
  context: Context,
  id: string,
  { isWatched, hasLogs }: { isWatched: boolean; hasLogs: boolean },
): Promise<ExitCode> {
  const { client, output, signal, world } = context;
  const startedAt = performance.now();
  const interrupted = () => output.note(`The task goes on. Try: drover task watch ${id}`);
  world.stop.addEventListener("abort", interrupted, { once: true });
  const logs = hasLogs
    ? streamLog({
        client,
        id,
        follow: true,
        tail: 0,
        since: undefined,
        signal,
        onLine: (line) => showLogLine(line, output, { withTimes: false }),
      })
    : undefined;
  const [last] = await Promise.all([
    followTasks({
      client,
      ids: [id],
      signal,
      onChange: (task) => (isWatched && !isTaskFinal(task) ? showChange(task, output) : undefined),
    }),
    logs,
  ]);
  world.stop.removeEventListener("abort", interrupted);
  const watched = last.get(id) ?? last.values().next().value;
  // What a watch tells is without payload and execution.
  const { task = watched } = output.isJson ? await client.tasks.getTask({ id }, { signal }) : {};
  if (task === undefined) return 1;
  if (output.isJson) output[isWatched || hasLogs ? "jsonLine" : "json"](taskJson(task));
  else sayEnd(task, output, performance.now() - startedAt);
  return taskStateWord(task.state) === "completed" ? 0 : 1;
}

function sayEnd(task: Task, output: Context["output"], tookMs: number): void {
  const word = taskStateWord(task.state);
  const attempts = task.attempt > 1 ? ` at attempt ${task.attempt}` : "";
  if (word === "completed")
    return output.note(`${output.paintError("completed", "green")} after ${formatDuration(tookMs)}${attempts}`);
  const cause = task.error === undefined ? "" : `: ${errorText(task.error)}`;
  output.complain(`${output.paintError(word, "red")} after ${formatDuration(tookMs)}${attempts}${cause}`);
  output.complain(`${output.paintError("Try:", "bold")} drover task get ${task.id}, or drover task logs ${task.id}`);
}
