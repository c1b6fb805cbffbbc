import { deleteBudget as removeBudget } from "@drover/db/query/budget";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Removes a named budget; who waited for it is looked at again. */
export async function deleteBudget(deps: Deps, caller: Caller, name: string): Promise<void> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  if (!(await removeBudget(deps.db, namespaceId, name, caller.actor))) throw budgetNotFound(name);
  deps.waker.wake("due");
}

/** What a name without a budget is answered with. */
export function budgetNotFound(name: string): DroverError {
  return new DroverError("not_found", `There is no budget "${name}".`, {
    hint: 'List them with "drover budget list".',
  });
}
