import {
  asTexts,
  compatError,
  compatResult,
  payloadFacts,
  unixSeconds,
  type CompatError,
  type CompatOutcome,
  type CompatTask,
} from "./compat-task.ts";

/** One of our events about one task. `kind` is the word of the event log, `task` the task as it is now. */
export interface TaskEvent {
  kind: string;
  at: Date;
  task: CompatTask;
  outcome?: CompatOutcome;
  error?: CompatError | null;
}

export interface CompatEvent {
  eventType: CompatEventType;
  resourceId: string;
  data: Record<string, string>;
  /** Unix seconds. */
  timestamp: bigint;
}

export type CompatEventType = (typeof compatEventTypes)[keyof typeof compatEventTypes];

/** Our kinds of event, and what orchestrator.v1 calls them; it knows no cancellation. */
export const compatEventTypes = {
  "task.submitted": "task_submitted",
  "task.started": "task_started",
  "task.completed": "task_completed",
  "task.failed": "task_failed",
  "task.cancelled": "task_failed",
} as const;

/** An event as orchestrator.v1 streams it; undefined for kinds that it has no word for. */
export function compatEvent(event: TaskEvent): CompatEvent | undefined {
  if (!isCompatKind(event.kind)) {
    return undefined;
  }
  const data = asTexts({ task_id: event.task.id, ...describe(event.kind, event) });
  return { eventType: compatEventTypes[event.kind], resourceId: event.task.id, data, timestamp: unixSeconds(event.at) };
}

function describe(
  kind: keyof typeof compatEventTypes,
  { at, task, outcome, error }: TaskEvent,
): Record<string, unknown> {
  switch (kind) {
    case "task.submitted":
      return { class: task.class, payload: task.payload };
    case "task.started":
      return { class: task.class, started_at: at.toISOString(), ...payloadFacts(task.payload), source: "runner" };
    case "task.completed":
      return { result: compatResult({ ...task, state: "completed" }, outcome) };
    case "task.failed":
      return { error: compatError("failed", error) };
    case "task.cancelled":
      return { error: compatError("cancelled", error) };
  }
}

function isCompatKind(kind: string): kind is keyof typeof compatEventTypes {
  return Object.hasOwn(compatEventTypes, kind);
}
