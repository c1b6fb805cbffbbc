import { cancelTask as cancel, type TaskStateName } from "@drover/db/query/task";
import type { Caller, Deps } from "./context.ts";
import { findTaskKey, taskNotFound } from "./find-task.ts";

/** Cancels a task; the state afterwards. Cancelling twice, or too late, changes nothing. */
export async function cancelTask(deps: Deps, caller: Caller, id: string, reason: string): Promise<TaskStateName> {
  const key = await findTaskKey(deps, caller, id);
  const answer = await cancel(deps.db, key, reason || `Cancelled by ${caller.actor}.`, caller.actor);
  if (answer === undefined) throw taskNotFound(id);
  if (answer.holderId !== null) deps.waker.wake(`holder:${answer.holderId}`);
  return answer.state;
}
