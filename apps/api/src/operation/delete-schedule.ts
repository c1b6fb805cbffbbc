import { deleteSchedule as remove } from "@drover/db/query/schedule";
import type { Caller, Deps } from "./context.ts";
import { scheduleNotFound } from "./pause-schedule.ts";

/** Deletes a schedule; the runs that it started go on. */
export async function deleteSchedule(deps: Deps, caller: Caller, name: string): Promise<void> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  if (!(await remove(deps.db, { namespaceId, actor: caller.actor }, name))) throw scheduleNotFound(name);
}
