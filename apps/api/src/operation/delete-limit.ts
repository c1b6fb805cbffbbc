import { deleteLimit as removeLimit } from "@drover/db/query/limit";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Removes a limit; who waited for it is looked at again. */
export async function deleteLimit(deps: Deps, caller: Caller, name: string): Promise<void> {
  if (!(await removeLimit(deps.db, name, caller.actor))) throw limitNotFound(name);
  deps.waker.wake("due");
}

/** What a name without a limit is answered with. */
export function limitNotFound(name: string): DroverError {
  return new DroverError("not_found", `There is no limit "${name}".`, { hint: 'List them with "drover limit list".' });
}
