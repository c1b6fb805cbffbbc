import { createHash } from "node:crypto";
import { getTaskDetails } from "@drover/db/query/task";
import { isFinal } from "@drover/domain/task";
import type { RunRequest } from "@drover/proto/runner/runner";
import type { Caller, Deps } from "../../operation/context.ts";
import { findTaskKey } from "../../operation/find-task.ts";
import type { SubmitTask } from "../../operation/submit-task.ts";
import type { TaskDraft } from "../../operation/task-draft.ts";
import { cacheKey } from "./request.ts";

/**
 * Whether equal requests may share one run: its image is pinned, nothing of a host goes into it, and nobody gave it a
 * name of its own.
 */
export function isShared({ runId, env }: RunRequest): boolean {
  const isPinned = (env?.contentDigest ?? "") !== "" || (env?.ociImage ?? "").includes("@sha256:");
  return runId.trim() === "" && isPinned && env?.mounts.length === 0;
}

export interface SharedRunOptions {
  deps: Deps;
  submitTask: Pick<SubmitTask, "one">;
  caller: Caller;
  request: RunRequest;
  draft: TaskDraft;
}

/**
 * Finds the run of equal requests that is under way or went well, else begins one; answers with its task's key. One that
 * failed is no result to give again: the next one takes its place under a key that follows from both.
 */
export async function sharedRun({ deps, submitTask, caller, request, draft }: SharedRunOptions): Promise<string> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  // The ids of one who asked are not those of the run; a repeat may bring others.
  const { job_id: jobId, ...payload } = draft.payload as Record<string, string>;
  const shared = { ...draft, labels: undefined, payload, ...(jobId !== undefined && { added: { job_id: jobId } }) };
  for (let key = cacheKey(request); ;) {
    const { id, created } = await submitTask.one(caller, { ...shared, idempotencyKey: key });
    const taskKey = await findTaskKey(deps, caller, id);
    if (created) return taskKey;
    const [task] = await getTaskDetails(deps.db, namespaceId, [taskKey]);
    if (task !== undefined && (!isFinal(task.state) || task.state === "completed")) return taskKey;
    key = `sha256:${createHash("sha256").update(`${key} ${id}`).digest("hex")}`;
  }
}
