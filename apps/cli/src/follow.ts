import { setTimeout as pause } from "node:timers/promises";
import { isFinal, isTaskState } from "@drover/domain/task";
import type { Task } from "@drover/proto/drover/task";
import { type Client, isAway } from "./client.ts";
import { taskStateWord } from "./word.ts";

export interface FollowOptions {
  client: Client;
  ids: readonly string[];
  signal: AbortSignal;
  /** Told of each task as it is now, then once per change. */
  onChange: (task: Task) => void;
}

const idsPerStream = 10_000;
const patience = 8;

/** Watches tasks until all are final, over restarts of the API; the last state of each, by id. */
export async function followTasks(options: FollowOptions): Promise<Map<string, Task>> {
  const last = new Map<string, Task>();
  const ids = [...new Set(options.ids)];
  const streams = Array.from({ length: Math.ceil(ids.length / idsPerStream) }, (_, index) =>
    followSome({ ...options, ids: ids.slice(index * idsPerStream, (index + 1) * idsPerStream) }, last),
  );
  await Promise.all(streams);
  return last;
}

/** Whether a task is done. */
export function isTaskFinal(task: Task): boolean {
  const word = taskStateWord(task.state);
  return isTaskState(word) && isFinal(word);
}

async function followSome({ client, ids, signal, onChange }: FollowOptions, last: Map<string, Task>): Promise<void> {
  let open = ids;
  for (let failures = 0; open.length > 0;) {
    try {
      for await (const { task } of client.tasks.watchTasks({ ids: [...open] }, { signal, timeoutMs: 0 })) {
        if (task === undefined) continue;
        failures = 0;
        const before = last.get(task.id);
        last.set(task.id, task);
        // A stream begins with what is: after a restart of the API that is old news.
        if (before === undefined || face(before) !== face(task)) onChange(task);
      }
      return;
    } catch (error) {
      failures += 1;
      if (signal.aborted || !isAway(error) || failures > patience) throw error;
      await pause(Math.min(5000, 200 * 2 ** failures) * (1 - Math.random() / 2), undefined, { signal });
      open = ids.filter((id) => !isFinalIn(last, id));
    }
  }
}

function isFinalIn(last: Map<string, Task>, id: string): boolean {
  const task = last.get(id);
  return task !== undefined && isTaskFinal(task);
}

function face({ state, attempt, cancelRequested }: Task): string {
  return `${state} ${attempt} ${cancelRequested}`;
}
