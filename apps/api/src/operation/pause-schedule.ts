import { pauseSchedule as setPaused } from "@drover/db/query/schedule";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/**
 * Pauses a schedule, or lets it go on: then its catch-up policy decides about the times that have passed. Doing it
 * twice changes nothing.
 */
export async function pauseSchedule(deps: Deps, caller: Caller, name: string, isPaused: boolean): Promise<void> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  if (!(await setPaused(deps.db, { namespaceId, actor: caller.actor }, name, isPaused))) throw scheduleNotFound(name);
  if (!isPaused) deps.waker.wake("schedule");
}

export function scheduleNotFound(name: string): DroverError {
  return new DroverError("not_found", `There is no schedule "${name}".`, {
    hint: 'List the schedules with "drover schedule list".',
  });
}
