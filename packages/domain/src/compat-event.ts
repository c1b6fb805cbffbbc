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
import { type CompatRun, compatRunError } from "./compat-run.ts";

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

/** One of our events about one run; nested runs are nothing that these clients know. */
export interface RunEvent {
  kind: string;
  at: Date;
  run: CompatRun;
}

/** Our kinds of event, and what orchestrator.v1 calls them; it knows no cancellation. */
export const compatEventTypes = {
  "task.submitted": "task_submitted",
  "task.started": "task_started",
  "task.completed": "task_completed",
  "task.failed": "task_failed",
  "task.cancelled": "task_failed",
  "run.started": "workflow_started",
  "run.resumed": "workflow_started",
  "run.completed": "workflow_completed",
  "run.partially_completed": "workflow_failed",
  "run.failed": "workflow_failed",
  "run.cancelled": "workflow_failed",
} as const;

/** An event as orchestrator.v1 streams it; undefined for kinds that it has no word for. */
export function compatEvent(event: TaskEvent): CompatEvent | undefined {
  if (!isCompatKind(event.kind) || isRunKind(event.kind)) {
    return undefined;
  }
  const data = asTexts({ task_id: event.task.id, ...describe(event.kind, event) });
  return { eventType: compatEventTypes[event.kind], resourceId: event.task.id, data, timestamp: unixSeconds(event.at) };
}

/** An event about a run as orchestrator.v1 streams it; undefined for kinds that it has no word for. */
export function compatRunEvent({ kind, at, run }: RunEvent): CompatEvent | undefined {
  if (!isCompatKind(kind) || !isRunKind(kind)) return undefined;
  const eventType = compatEventTypes[kind];
  const told = eventType === "workflow_started" ? { started_at: at.toISOString() } : endOf(kind, run);
  const data = asTexts({ run_id: run.id, workflow_id: run.workflow, ...told });
  return { eventType, resourceId: run.id, data, timestamp: unixSeconds(at) };
}

type CompatKind = keyof typeof compatEventTypes;
type RunKind = Extract<CompatKind, `run.${string}`>;

function endOf(kind: RunKind, run: CompatRun): Record<string, unknown> {
  if (kind === "run.completed") return { status: "completed" };
  // Of a run that was taken up again meanwhile, the error is gone.
  const state = kind === "run.cancelled" ? "cancelled" : "failed";
  return { status: "failed", error: compatRunError({ state, error: run.error }) };
}

function describe(
  kind: Exclude<CompatKind, RunKind>,
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

function isCompatKind(kind: string): kind is CompatKind {
  return Object.hasOwn(compatEventTypes, kind);
}

function isRunKind(kind: CompatKind): kind is RunKind {
  return kind.startsWith("run.");
}
