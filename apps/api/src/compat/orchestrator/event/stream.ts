import type { MessageInitShape } from "@bufbuild/protobuf";
import { pause } from "@drover/daemon/clock";
import { cursorAt, type EventRow, listEvents, newestCursor } from "@drover/db/query/event";
import { getRootRuns, type RunRow } from "@drover/db/query/run";
import type { TaskDetailRow } from "@drover/db/query/task";
import { compatEvent, compatEventTypes, compatRunEvent } from "@drover/domain/compat-event";
import type { SystemEventSchema } from "@drover/proto/orchestrator/orchestrator";
import type { Deps } from "../../../operation/context.ts";
import { patiently } from "../patiently.ts";
import { compatOutcome, compatTask, readTasks, storedError } from "../task/view.ts";
import { compatRun } from "../workflow/run-view.ts";

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

/** What happened to tasks and runs, in order and without gaps, one message for each of them; without end. */
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
      .flatMap((event) => (isAboutRuns(event) ? event.run_ids : event.task_ids).map((key) => ({ key, event })));
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
    const keysOf = (chosen: readonly Fact[]) => [...new Set(chosen.map((fact) => fact.key))];
    const aboutTasks = some.filter(({ event }) => !isAboutRuns(event));
    for await (const row of readTasks(db, namespaceId, keysOf(aboutTasks), signal)) tasks.set(row.key, row);
    const runKeys = keysOf(some.filter(({ event }) => isAboutRuns(event)));
    const runs = runKeys.length === 0 ? [] : await patiently(signal, () => getRootRuns(db, namespaceId, runKeys));
    const runOf = new Map(runs.map((row) => [row.key, row]));
    for (const { key, event } of some) {
      const message = isAboutRuns(event) ? runMessage(event, runOf.get(key)) : taskMessage(event, tasks.get(key));
      if (message) yield message;
    }
  }
}

function isAboutRuns({ kind }: EventRow): boolean {
  return kind.startsWith("run.");
}

function runMessage({ kind, at }: EventRow, run: RunRow | undefined): SystemEventInit | undefined {
  return run && compatRunEvent({ kind, at, run: compatRun(run) });
}

function taskMessage({ kind, at, data }: EventRow, task: TaskDetailRow | undefined): SystemEventInit | undefined {
  if (task === undefined) return undefined;
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
