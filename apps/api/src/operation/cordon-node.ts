import { cordonNode as cordon, uncordonNode as uncordon } from "@drover/db/query/node";
import type { Caller, Deps } from "./context.ts";
import { findNode, nodeNotFound } from "./find-node.ts";

/** Lets nothing new onto a node; what runs there goes on, and what was only placed there goes elsewhere. */
export async function cordonNode(deps: Deps, caller: Caller, name: string, reason: string): Promise<void> {
  const { id } = await findNode(deps, caller, name);
  if (!(await cordon(deps.db, id, reason, caller.actor))) throw nodeNotFound(name);
  deps.waker.wake("place");
}

/** Ends a cordon, and a drain with it; what has moved away stays where it is. */
export async function uncordonNode(deps: Deps, caller: Caller, name: string): Promise<void> {
  const { id } = await findNode(deps, caller, name);
  if (!(await uncordon(deps.db, id, caller.actor))) throw nodeNotFound(name);
  deps.waker.wake("place");
}
