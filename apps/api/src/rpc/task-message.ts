import { create, fromJson, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { AttemptRow, TaskDetailRow, TaskRow, TaskStateName } from "@drover/db/query/task";
import type { Constraints, DisconnectPolicy } from "@drover/domain/environment/declaration";
import type { Execution } from "@drover/domain/execution";
import type { Json } from "@drover/domain/json";
import type { RetryPolicy } from "@drover/domain/retry";
import { formatRunId } from "@drover/domain/run-id";
import { taskKeyTime } from "@drover/domain/task-id";
import {
  type Attempt,
  AttemptSchema,
  DisconnectPolicy_Kind,
  ExecutionSchema,
  Executor,
  GpuShare,
  type Task,
  type TaskErrorSchema,
  TaskSchema,
  TaskState,
} from "@drover/proto/drover/task";
import { taskIdOf } from "../operation/find-task.ts";

export const stateNumbers: Record<TaskStateName, TaskState> = {
  waiting: TaskState.WAITING,
  pending: TaskState.PENDING,
  running: TaskState.RUNNING,
  completed: TaskState.COMPLETED,
  failed: TaskState.FAILED,
  cancelled: TaskState.CANCELLED,
};

/** A task as the lists and watches show it. */
export function taskMessage(row: TaskRow): Task {
  return create(TaskSchema, taskInit(row));
}

/** A task with everything: payload, execution, result, attempts. */
export function taskDetailMessage(row: TaskDetailRow, attempts: AttemptRow[]): Task {
  const task = taskMessage(row);
  if (row.payload !== null) task.payload = valueMessage(row.payload as Json);
  if (row.executor === "llm") task.call = row.execution as JsonObject;
  else if (row.execution !== null)
    task.execution = create(ExecutionSchema, executionInit(row.execution as Execution, row.executor));
  if (row.result !== null) task.result = valueMessage(row.result as Json);
  task.attempts = [...attempts.map(attemptInit), ...lastAttempt(row)];
  return task;
}

export function valueMessage(value: Json): Value {
  return fromJson(ValueSchema, value);
}

type TaskInit = MessageInitShape<typeof TaskSchema>;

function taskInit(row: TaskRow): TaskInit {
  return {
    id: taskIdOf(row),
    namespace: row.namespace,
    state: stateNumbers[row.state],
    class: row.class,
    executor: executorNumbers[row.executor],
    // Of others it says only how their queue is served.
    type: row.executor === "worker" || row.executor === "llm" ? row.type : "",
    priority: row.priority,
    labels: row.labels ?? {},
    runId: row.run_id === null ? "" : formatRunId(row.run_id),
    ...(row.retry !== null && { retry: retryInit(row.retry as Partial<RetryPolicy>) }),
    timeout: durationFromMs(row.timeout_seconds * 1000),
    createdAt: timestampFromDate(taskKeyTime(BigInt(row.key))),
    ...(row.started_at && { startedAt: timestampFromDate(row.started_at) }),
    ...(row.finished_at && { finishedAt: timestampFromDate(row.finished_at) }),
    attempt: row.attempt,
    holder: row.holder ?? "",
    ...(row.error && { error: errorInit(row.error) }),
    cancelRequested: row.cancel_requested,
  };
}

const executorNumbers = {
  docker: Executor.DOCKER,
  process: Executor.PROCESS,
  worker: Executor.WORKER,
  llm: Executor.LLM,
} as const;

function retryInit(retry: Partial<RetryPolicy>) {
  return {
    maxAttempts: retry.maxAttempts ?? 0,
    ...(retry.baseDelayMs !== undefined && { baseDelay: durationFromMs(retry.baseDelayMs) }),
    ...(retry.maxDelayMs !== undefined && { maxDelay: durationFromMs(retry.maxDelayMs) }),
    noRetryOn: retry.noRetryOn ?? [],
    strategy: retry.strategy ?? "",
    factor: retry.factor ?? 0,
    withoutJitter: retry.hasJitter === false,
    retryOn: retry.retryOn ?? [],
  };
}

type StoredError = { class: string; message: string | null; details: unknown };

function errorInit(error: StoredError): MessageInitShape<typeof TaskErrorSchema> {
  const { details } = error;
  return {
    class: error.class,
    message: error.message ?? "",
    ...(typeof details === "object" &&
      details !== null &&
      !Array.isArray(details) && { details: details as Record<string, Json> }),
  };
}

function attemptInit(row: AttemptRow): Attempt {
  return create(AttemptSchema, {
    number: row.attempt,
    holder: row.holder ?? "",
    startedAt: timestampFromDate(row.started_at),
    finishedAt: timestampFromDate(row.finished_at),
    outcome: row.outcome,
    ...(row.error && { error: errorInit(row.error) }),
  });
}

/** The attempt under way, or the one that ended the task. */
function lastAttempt(row: TaskRow): Attempt[] {
  if (row.started_at === null || row.attempt === 0) return [];
  return [
    create(AttemptSchema, {
      number: row.attempt,
      holder: row.holder ?? "",
      startedAt: timestampFromDate(row.started_at),
      ...(row.finished_at && { finishedAt: timestampFromDate(row.finished_at) }),
      outcome: row.state,
      ...(row.error && { error: errorInit(row.error) }),
    }),
  ];
}

function executionInit(execution: Execution, executor: TaskRow["executor"]): MessageInitShape<typeof ExecutionSchema> {
  const { resources, placement, gang, onDisconnect } = execution;
  return {
    executor: executorNumbers[executor],
    image: execution.image ?? "",
    command: execution.command,
    env: execution.env ?? {},
    mounts: (execution.mounts ?? []).map((mount) => ({ ...mount, readOnly: mount.readOnly ?? false })),
    ...(resources && { resources: resourcesInit(resources) }),
    workingDir: execution.workingDir ?? "",
    ...(execution.artifacts && { artifacts: execution.artifacts }),
    readOnlyRoot: execution.readOnlyRoot ?? false,
    network: execution.network ?? "",
    ...(placement && { placement: constraintsInit(placement) }),
    ...(gang && { gang }),
    ...(onDisconnect && { onDisconnect: disconnectInit(onDisconnect) }),
  };
}

function resourcesInit(resources: NonNullable<Execution["resources"]>) {
  const { gpuShare = "whole", memoryBytes = 0, ...rest } = resources;
  return { ...rest, memoryBytes: BigInt(memoryBytes), gpuShare: shareNumbers[gpuShare] };
}

const shareNumbers = { whole: GpuShare.UNSPECIFIED, mig: GpuShare.MIG, shared: GpuShare.SHARED } as const;

function constraintsInit({ strategy, ...rest }: Partial<Constraints>) {
  return { ...rest, spread: strategy === "spread" };
}

function disconnectInit({ kind, afterSeconds }: DisconnectPolicy) {
  return { kind: disconnectNumbers[kind], afterSeconds: afterSeconds ?? 0 };
}

const disconnectNumbers = {
  keep: DisconnectPolicy_Kind.KEEP,
  stop: DisconnectPolicy_Kind.STOP,
  replace: DisconnectPolicy_Kind.REPLACE,
} as const;
