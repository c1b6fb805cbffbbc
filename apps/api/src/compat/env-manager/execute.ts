import { deadlineAfter } from "@drover/daemon/deadline";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { executionRequired } from "@drover/domain/compat-execution";
import { compatError, compatResult } from "@drover/domain/compat-task";
import { decodePayload } from "@drover/domain/payload";
import type { ExecuteTaskRequest, ExecuteTaskResponseSchema } from "@drover/proto/env_manager/env_manager";
import { cancelTask } from "../../operation/cancel-task.ts";
import type { Caller, Deps } from "../../operation/context.ts";
import { findTaskKey } from "../../operation/find-task.ts";
import type { SubmitCompatTask } from "../../operation/submit-compat-task.ts";
import { taskEnd } from "../../watch/task-end.ts";
import type { TaskWatch } from "../../watch/task.ts";
import { refusalOf } from "../orchestrator/refusal.ts";
import { compatOutcome, compatTask, storedError } from "../orchestrator/task/view.ts";

export interface ExecuteOptions {
  deps: Deps;
  submit: SubmitCompatTask;
  watch: TaskWatch;
  caller: Caller;
  signal: AbortSignal;
}

type Answer = MessageInitShape<typeof ExecuteTaskResponseSchema>;

/**
 * Runs a task through the queue and waits for its end; one that takes longer than the request allows is cancelled. What
 * the task is refused or fails for is an answer, and no error of the protocol.
 */
export async function executeTask(
  { deps, submit, watch, caller, signal }: ExecuteOptions,
  request: ExecuteTaskRequest,
): Promise<Answer> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  const draft = {
    id: request.taskId,
    class: request.workloadClass,
    payload: decodePayload(request.payload),
    workflowId: "",
    priority: 0,
  };
  let id: string;
  try {
    id = await submit(caller, draft);
  } catch (error) {
    return { success: false, error: refusalOf(error), latencyMs: elapsed() };
  }
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const key = await findTaskKey(deps, caller, id);
  const deadline = request.timeoutSeconds > 0 ? deadlineAfter(request.timeoutSeconds * 1000) : undefined;
  const until = deadline === undefined ? signal : AbortSignal.any([signal, deadline]);
  try {
    const row = await taskEnd({ deps, watch, namespaceId, key, signal: until });
    return {
      success: row.state === "completed",
      result: compatResult(compatTask(row), compatOutcome(row)),
      error: typeText(compatError(row.state, storedError(row.error)), request.payload),
      latencyMs: elapsed(),
    };
  } catch (error) {
    if (signal.aborted || deadline?.aborted !== true) throw error;
    const text = `Task ${id} did not end within ${request.timeoutSeconds} s and was cancelled.`;
    await cancelTask(deps, caller, id, text);
    return { success: false, error: text, latencyMs: elapsed() };
  }
}

/** Who names a type means a worker: that none is there is the nearer reason. */
function typeText(error: string, { task_type: type = "" }: Readonly<Record<string, string>>): string {
  if (error !== executionRequired || type.trim() === "") return error;
  return `${error}: no worker serves task_type ${type.trim()}; start one, or say in payload.execution how to run it`;
}
