import { DroverError } from "@drover/domain/error";
import type { Task } from "@drover/proto/drover/task";
import { showChange } from "./change.ts";
import type { Context } from "./command.ts";
import { formatDuration } from "./duration.ts";
import type { ExitCode } from "./exit.ts";
import { errorText } from "./fact.ts";
import { followTasks, isTaskFinal } from "./follow.ts";
import { createLogPrinter, streamLog } from "./log-stream.ts";
import { taskJson } from "./task-view.ts";
import { taskStateWord } from "./word.ts";

/** A task that does not start for this long is explained, so that nobody waits for a node that will never come. */
const explainMs = 3000;

export interface WaitOptions {
  /** Say each change. */
  isWatched: boolean;
  /** Show what it prints. */
  hasLogs: boolean;
}

/** Waits until a task is done and tells how it ended; the exit code is that of its result. */
export async function waitForTask(context: Context, id: string, options: WaitOptions): Promise<ExitCode> {
  const { output, signal, world } = context;
  const startedAt = performance.now();
  const explain = setTimeout(() => void sayWhyPending(context, id), explainMs);
  try {
    const task = await follow(context, id, options);
    if (output.isJson) output[options.isWatched || options.hasLogs ? "jsonLine" : "json"](taskJson(task));
    else sayEnd(task, output, performance.now() - startedAt);
    return taskStateWord(task.state) === "completed" ? 0 : 1;
  } catch (error) {
    const hint = `drover task watch ${id}`;
    if (world.stop.aborted) output.note(`The task goes on. Try: ${hint}`);
    else if (signal.aborted)
      throw new DroverError("deadline", `Task ${id} was not done by the deadline; it goes on.`, { hint });
    throw error;
  } finally {
    clearTimeout(explain);
  }
}

async function follow(
  { client, output, signal }: Context,
  id: string,
  { isWatched, hasLogs }: WaitOptions,
): Promise<Task> {
  const onLine = createLogPrinter(output, { withTimes: false });
  const logs = hasLogs ? streamLog({ client, id, follow: true, tail: 0, since: undefined, signal, onLine }) : undefined;
  const onChange = (task: Task) => {
    if (isWatched && !isTaskFinal(task)) showChange(task, output);
  };
  const [last] = await Promise.all([followTasks({ client, ids: [id], signal, onChange }), logs]);
  const watched = last.values().next().value;
  // What a watch tells is without payload and execution.
  const { task = watched } =
    output.isJson || watched === undefined ? await client.tasks.getTask({ id }, { signal }) : {};
  if (task === undefined) throw new DroverError("internal", `Expected the end of task ${id}, got none.`);
  return task;
}

async function sayWhyPending({ client, output, signal }: Context, id: string): Promise<void> {
  // Only a courtesy: whatever fails here will be told by the watch itself.
  const { task } = await client.tasks.getTask({ id }, { signal }).catch(() => ({ task: undefined }));
  const message = task?.pending?.message;
  if (message !== undefined && message !== "") output.note(`Not started yet. ${message}`);
}

function sayEnd(task: Task, output: Context["output"], tookMs: number): void {
  const word = taskStateWord(task.state);
  const attempts = task.attempt > 1 ? ` at attempt ${task.attempt}` : "";
  const time = `after ${formatDuration(tookMs)}${attempts}`;
  if (word === "completed") return output.note(`${output.paintError(word, "green")} ${time}`);
  const cause = task.error === undefined ? "" : `: ${errorText(task.error)}`;
  output.complain(`${output.paintError(word, "red")} ${time}${cause}`);
  output.complain(`${output.paintError("Try:", "bold")} drover task get ${task.id}, or drover task logs ${task.id}`);
}
