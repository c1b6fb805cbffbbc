import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Executor } from "@drover/db/client";
import { getTaskDetails, type TaskDetailRow } from "@drover/db/query/task";
import {
  compatError,
  type CompatError,
  type CompatOutcome,
  compatResult,
  compatStatus,
  type CompatTask,
  compatTimes,
} from "@drover/domain/compat-task";
import type { Json } from "@drover/domain/json";
import type { RunResult } from "@drover/domain/run-result";
import type { GetTaskStatusResponseSchema, TaskResultSchema } from "@drover/proto/orchestrator/orchestrator";
import { taskIdOf } from "../../../operation/find-task.ts";
import { patiently } from "../patiently.ts";

export type TaskStatusInit = MessageInitShape<typeof GetTaskStatusResponseSchema>;
export type TaskResultInit = MessageInitShape<typeof TaskResultSchema>;

/** A task as GetTaskStatus answers it. */
export function taskStatus(row: TaskDetailRow) {
  return {
    taskId: taskIdOf(row),
    status: compatStatus(row.state),
    result: compatResult(compatTask(row), compatOutcome(row)),
    error: compatError(row.state, storedError(row.error)),
  } satisfies TaskStatusInit;
}

/** A task as StreamTaskResults sends it. */
export function taskResult(row: TaskDetailRow) {
  return { ...taskStatus(row), ...compatTimes(compatTask(row)) } satisfies TaskResultInit;
}

export function compatTask(row: TaskDetailRow): CompatTask {
  return {
    id: taskIdOf(row),
    class: row.class,
    namespace: row.namespace,
    state: row.state,
    payload: row.payload as Json,
    attempt: row.attempt,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}

/** A worker's handler leaves a value, the other executors a run. */
export function compatOutcome({ result, executor }: TaskDetailRow): CompatOutcome | undefined {
  if (result === null || result === undefined) return undefined;
  return executor === "worker" ? { value: result as Json } : { run: result as RunResult };
}

/** An error as rows and events hold it. */
export function storedError(error: { class: string; message: string | null } | null | undefined): CompatError | null {
  return error ? { class: error.class, message: error.message ?? "" } : null;
}

const chunkSize = 200;

/** Tasks with everything, for a stream: a few at a time, since results may be large. */
export async function* readTasks(
  db: Executor,
  namespaceId: number,
  keys: Iterable<string>,
  signal: AbortSignal,
): AsyncGenerator<TaskDetailRow> {
  const distinct = [...new Set(keys)];
  for (let from = 0; from < distinct.length; from += chunkSize) {
    const chunk = distinct.slice(from, from + chunkSize);
    yield* await patiently(signal, () => getTaskDetails(db, namespaceId, chunk));
  }
}
