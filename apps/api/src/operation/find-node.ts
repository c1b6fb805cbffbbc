import { findNode as find } from "@drover/db/query/node";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** The id of a node, also of one that was removed. Nodes serve all namespaces: the caller's has only to be there. */
export async function findNode(deps: Deps, caller: Caller, name: string): Promise<{ id: number; isRemoved: boolean }> {
  await deps.directory.namespaceId(caller.namespace);
  const found = await find(deps.db, name);
  if (found === undefined) throw nodeNotFound(name);
  return { id: found.id, isRemoved: found.is_removed };
}

export function nodeNotFound(name: string): DroverError {
  return new DroverError("not_found", `There is no node "${name}".`, {
    hint: 'List the nodes with "drover node list".',
  });
}
