import { setConcurrencyLimit } from "@drover/db/query/class";
import type { Caller, Deps } from "./context.ts";
import { classNotFound } from "./pause-class.ts";

/** Sets how many tasks of a class run at once, or lifts the limit; what runs already counts. */
export async function limitClass(deps: Deps, caller: Caller, name: string, limit: number | undefined): Promise<void> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  if (!(await setConcurrencyLimit(deps.db, namespaceId, name, limit ?? null))) throw classNotFound(name);
  deps.waker.wake(`class:${name}`);
}
