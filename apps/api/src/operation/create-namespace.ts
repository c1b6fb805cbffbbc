import { insertNamespace, type NamespaceRow } from "@drover/db/query/namespace";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Creates a namespace with the classes of a new installation; a name that is taken is a `conflict`. */
export async function createNamespace(deps: Deps, caller: Caller, name: string): Promise<NamespaceRow> {
  const made = await insertNamespace(deps.db, name, caller.actor);
  if (made !== undefined) return made;
  throw new DroverError("conflict", `There is a namespace "${name}" already.`, {
    hint: `Use it with "-n ${name}", or list all with "drover namespace list".`,
  });
}
