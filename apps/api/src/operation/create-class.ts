import { type ClassSettings, insertClass } from "@drover/db/query/class";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Creates a class; a name that is taken is a `conflict`. */
export async function createClass(deps: Deps, caller: Caller, name: string, settings: ClassSettings): Promise<void> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  if ((await insertClass(deps.db, namespaceId, name, settings)) === undefined) {
    throw new DroverError("conflict", `There is a class "${name}" already.`, {
      hint: 'Look at it with "drover class list".',
    });
  }
}
