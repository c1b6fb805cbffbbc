import type { MessageInitShape } from "@bufbuild/protobuf";
import { pause } from "@drover/daemon/clock";
import { cursorAt, type EventRow, listEvents, newestCursor } from "@drover/db/query/event";
import type { TaskDetailRow } from "@drover/db/query/task";
import { compatEvent, compatEventTypes } from "@drover/domain/compat-event";
import type { SystemEventSchema } from "@drover/proto/orchestrator/orchestrator";
import type { Deps } from "../../operation/context.ts";
import { patiently } from "./patiently.ts";
import { compatOutcome, compatTask, readTasks, storedError } from "./task-view.ts";

export interface StreamEventsOptions {
  deps: Deps;
  namespaceId: number;
  /** Empty: all types. */
  eventTypes: readonly string[];
  /** Unix seconds; 0: from now on. */
  sinceTimestamp: bigint;
  signal: AbortSignal;
  pollMs?: number;
}

type SystemEventInit = MessageInitShape<typeof SystemEventSchema>;

const pageSize = 100;

/** What happened to tasks, in order and without gaps, one message per task; without end. */
export async function* streamEvents({
  deps,
  namespaceId,
  eventTypes,
  sinceTimestamp,
  signal,
  pollMs = 250,
}: StreamEventsOptions): AsyncGenerator<SystemEventInit> {
  const { db } = deps;
  const kinds = kindsOf(eventTypes);
  const sinceMs = Number(sinceTimestamp) * 1000;
  const isPast = sinceMs > 0 && sinceMs <= Date.now();
  let cursor = isPast ? await cursorAt(db, new Date(sinceMs)) : await newestCursor(db);
  for (;;) {
    const after = cursor;
    // No kind stands for types that never happen here, such as those of Slurm; to the log it would mean all.
    const events =
      kinds.length === 0 ? [] : await patiently(signal, () => listEvents(db, namespaceId, after, kinds, pageSize));
    const facts = events
      .filter((event) => event.at.getTime() >= sinceMs)
      .flatMap((event) => event.task_ids.map((key) => ({ key, event })));
    yield* tell(deps, namespaceId, facts, signal);
    cursor = events.at(-1) ?? cursor;
    if (events.length < pageSize) await pause({ waitMs: pollMs, signal });
  }
}

interface Fact {
  key: string;
  event: EventRow;
}

const factsAtOnce = 200;

async function* tell(
  { db }: Deps,
  namespaceId: number,
  facts: readonly Fact[],
  signal: AbortSignal,
): AsyncGenerator<SystemEventInit> {
  for (let from = 0; from < facts.length; from += factsAtOnce) {
    const some = facts.slice(from, from + factsAtOnce);
    const tasks = new Map<string, TaskDetailRow>();
    const keys = some.map((fact) => fact.key);
    for await (const row of readTasks(db, namespaceId, keys, signal)) tasks.set(row.key, row);
    for (const { key, event } of some) {
      const task = tasks.get(key);
      const message = task && messageOf(event, task);
      if (message) yield message;
    }
  }
}

function messageOf({ kind, at, data }: EventRow, task: TaskDetailRow): SystemEventInit | undefined {
  const outcome = compatOutcome(task);
  return compatEvent({ kind, at, task: compatTask(task), error: errorOf(data), ...(outcome && { outcome }) });
}

/** Cancellations before a task ran carry a reason, other ends the error of the attempt. */
function errorOf(data: EventRow["data"]) {
  const { error, reason } = (data ?? {}) as {
    error?: { class: string; message: string | null };
    reason?: string | null;
  };
  return storedError(error ?? (reason ? { class: "cancelled", message: reason } : null));
}

function kindsOf(eventTypes: readonly string[]): string[] {
  const wanted = new Set(eventTypes.map((type) => type.trim()).filter((type) => type !== ""));
  return Object.entries(compatEventTypes).flatMap(([kind, type]) =>
    wanted.size === 0 || wanted.has(type) ? [kind] : [],
  );
}
