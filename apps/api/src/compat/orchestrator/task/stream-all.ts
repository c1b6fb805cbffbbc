import { pause } from "@drover/daemon/clock";
import { listEvents, newestCursor } from "@drover/db/query/event";
import { listTasks, type TaskStateName } from "@drover/db/query/task";
import type { Deps } from "../../../operation/context.ts";
import { patiently } from "../patiently.ts";
import { createOpenTasks } from "./repeat.ts";
import { readTasks, type TaskResultInit } from "./view.ts";

export interface StreamAllOptions {
  deps: Deps;
  namespaceId: number;
  /** True: the newest tasks that are final already come first, too. */
  includeCompleted: boolean;
  signal: AbortSignal;
  repeatMs?: number;
  pollMs?: number;
}

/** How many tasks that are final at the start are told. */
const maxFinals = 1000;
/** How many open tasks are told again and again; all others on every change. */
const maxRepeated = 1000;
const pageSize = 200;

/** Every task that is open now, then every task that changes, without end. */
export async function* streamAll({
  deps,
  namespaceId,
  includeCompleted,
  signal,
  repeatMs = 350,
  pollMs = 250,
}: StreamAllOptions): AsyncGenerator<TaskResultInit> {
  const { db } = deps;
  // Taken before the first look: what changes meanwhile is told twice rather than never.
  let cursor = await newestCursor(db);
  const open = createOpenTasks({ repeatMs, maxTasks: maxRepeated });

  const snapshot = [listKeys(deps, namespaceId, ["waiting", "pending", "running"], Infinity)];
  if (includeCompleted) snapshot.push(listKeys(deps, namespaceId, ["completed", "failed", "cancelled"], maxFinals));
  for (const pages of snapshot) {
    for await (const keys of pages) {
      for await (const row of readTasks(db, namespaceId, keys, signal)) yield open.tell(row);
    }
  }
  for (;;) {
    const after = cursor;
    const events = await patiently(signal, () => listEvents(db, namespaceId, after, kinds, pageSize));
    const keys = events.flatMap((event) => event.task_ids);
    for await (const row of readTasks(db, namespaceId, keys, signal)) yield open.tell(row);
    cursor = events.at(-1) ?? cursor;
    yield* open.due();
    if (events.length < pageSize) await pause({ waitMs: Math.min(pollMs, open.dueInMs()), signal });
  }
}

/** The kinds of event after which a task is somewhere else. */
const kinds = [
  "task.submitted",
  "task.started",
  "task.completed",
  "task.failed",
  "task.cancelled",
  "task.retrying",
  "task.limited",
  "task.lost",
  "task.released",
  "task.redriven",
];

async function* listKeys(
  { db }: Deps,
  namespaceId: number,
  states: TaskStateName[],
  limit: number,
): AsyncGenerator<string[]> {
  let beforeKey: string | undefined;
  for (let count = 0; count < limit; count += pageSize) {
    const rows = await listTasks(db, namespaceId, { states, beforeKey }, Math.min(pageSize, limit - count));
    if (rows.length > 0) yield rows.map((row) => row.key);
    if (rows.length < pageSize) return;
    beforeKey = rows.at(-1)?.key;
  }
}
