import { getTasks, redriveTask } from "@drover/db/query/task";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";
import { findTaskKey, taskNotFound } from "./find-task.ts";

/** Puts a failed or cancelled task back into its queue, with a fresh count of attempts. */
export async function retryTask(deps: Deps, caller: Caller, id: string): Promise<"pending"> {
  const key = await findTaskKey(deps, caller, id);
  const state = await redriveTask(deps.db, key, caller.actor);
  if (state === undefined) throw taskNotFound(id);
  if (state === "belongs_to_run") {
    throw new DroverError("conflict", `Task "${id}" is a step of a workflow run, which has seen it end.`, {
      hint: 'Resume the run instead: "drover workflow resume RUN".',
    });
  }
  if (state !== "pending") {
    throw new DroverError("conflict", `Expected a failed or cancelled task, got task "${id}", which is ${state}.`, {
      hint: state === "completed" ? "Submit it again under a new id." : "Wait for it, or cancel it first.",
    });
  }
  const [task] = await getTasks(deps.db, await deps.directory.namespaceId(caller.namespace), [key]);
  if (task) deps.waker.wake(`class:${task.class}`);
  return "pending";
}
