import { setTimeout as pause } from "node:timers/promises";
import { DroverError } from "@drover/domain/error";
import type { Call, TaskAnswer } from "./api.ts";
import type { Tally } from "./screen.ts";

export interface FollowOptions {
  call: Call;
  ids: readonly string[];
  labels: Record<string, string>;
  signal: AbortSignal;
  deadlineMs: number;
  onTally: (tally: Tally) => void;
}

const lookMs = 150;
const finalStates = new Set<TaskAnswer["state"]>(["TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELLED"]);

/** Submits tasks in one call; refuses where one of them was not accepted. */
export async function submitAll(call: Call, tasks: readonly object[]): Promise<void> {
  const { verdicts } = await call<{ verdicts: { id: string; fault?: { message: string } }[] }>(
    "TaskService/SubmitTasks",
    { tasks },
  );
  const refused = verdicts.find(({ fault }) => fault !== undefined);
  if (refused !== undefined)
    throw new DroverError("invalid", `The task ${refused.id} was refused: ${refused.fault?.message}`);
}

/** Looks at a batch until every task has completed; answers with the nodes that ran them. */
export async function followAll({ call, ids, labels, signal, deadlineMs, onTally }: FollowOptions): Promise<string[]> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const { tasks = [] } = await call<{ tasks?: TaskAnswer[] }>("TaskService/ListTasks", { labels, pageSize: 1000 });
    const lost = ids.length - tasks.length;
    if (lost !== 0) throw new DroverError("internal", `Expected ${ids.length} tasks in the list, got ${tasks.length}.`);
    for (const task of tasks) refuseFailed(task);
    const tally = tallyOf(tasks);
    onTally(tally);
    if (tally.done === tally.total) return [...new Set(tasks.flatMap(({ holder }) => holder ?? []))];
    if (performance.now() > until) throw await lateError(call, tasks, tally, deadlineMs);
    await pause(lookMs, undefined, { signal });
  }
}

/** Counts a list of tasks by what they are up to. */
export function tallyOf(tasks: readonly TaskAnswer[]): Tally {
  const running = tasks.filter(({ state }) => state === "TASK_STATE_RUNNING");
  const done = tasks.filter(({ state }) => finalStates.has(state)).length;
  const holders = [...new Set(running.flatMap(({ holder }) => holder ?? []))].toSorted();
  return { total: tasks.length, done, running: running.length, pending: tasks.length - done - running.length, holders };
}

function refuseFailed({ id, state, error }: TaskAnswer): void {
  if (!finalStates.has(state) || state === "TASK_STATE_COMPLETED") return;
  throw new DroverError(
    "internal",
    `The task ${id} failed (${error?.class ?? "cancelled"}): ${error?.message ?? "no message"}`,
  );
}

async function lateError(
  call: Call,
  tasks: readonly TaskAnswer[],
  { done, total }: Tally,
  deadlineMs: number,
): Promise<DroverError> {
  const open = tasks.find(({ state }) => !finalStates.has(state));
  const { task } = await call<{ task: TaskAnswer }>("TaskService/GetTask", { id: open?.id ?? "" });
  const why = task.pending === undefined ? "it is still running" : task.pending.message;
  return new DroverError(
    "deadline",
    `Only ${done} of ${total} tasks were done within ${deadlineMs / 1000} s. The task ${task.id} is not: ${why}`,
  );
}

/** The content of a JSON file that a completed task left. */
export async function outputOf<T>(call: Call, id: string, file: string): Promise<T> {
  const { task } = await call<{ task: TaskAnswer }>("TaskService/GetTask", { id });
  const content = task.result?.outputsSummary?.[file];
  if (content === undefined) throw new DroverError("internal", `Expected the task ${id} to leave ${file}, it did not.`);
  return content as T;
}
