import { setPaused } from "@drover/db/query/class";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Pauses a class (what runs goes on, nothing more starts) or lets it go on. Doing it twice changes nothing. */
export async function pauseClass(deps: Deps, caller: Caller, name: string, isPaused: boolean): Promise<void> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  if (!(await setPaused(deps.db, namespaceId, name, isPaused))) throw classNotFound(name);
  if (!isPaused) deps.waker.wake(`class:${name}`);
}

export function classNotFound(name: string): DroverError {
  return new DroverError("not_found", `There is no class "${name}".`, {
    hint: 'List the classes with "drover class list".',
  });
}
