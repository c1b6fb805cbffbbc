import { listNodes } from "@drover/db/query/node";
import { barNode, dropNodeRole, endNodeSessions, removeNode as remove } from "@drover/db/query/node-login";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";
import { findNode, nodeNotFound } from "./find-node.ts";

/** Forgets a node and takes its login away. One that lives and holds work is refused unless forced. */
export async function removeNode(deps: Deps, caller: Caller, name: string, isForced: boolean): Promise<void> {
  const { id } = await findNode(deps, caller, name);
  if (isForced) {
    // Its sessions may hold what the removal waits for.
    await barNode(deps.db, id);
    await endNodeSessions(deps.db, id);
  }
  const verdict = await remove(deps.db, id, { isForced, actor: caller.actor });
  if (verdict === undefined) throw nodeNotFound(name);
  if (verdict === "busy") throw await stillBusy(deps, name);
  // Done again by who repeats the call after a fault.
  await endNodeSessions(deps.db, id);
  await dropNodeRole(deps.db, id);
  deps.waker.wake("place");
}

async function stillBusy(deps: Deps, name: string): Promise<DroverError> {
  const [node] = await listNodes(deps.db, name);
  const held = node === undefined ? "" : ` (running tasks: ${node.running}, replicas: ${node.replicas})`;
  return new DroverError("conflict", `Node "${name}" lives and is not empty${held}.`, {
    hint: `Drain it first: "drover node drain ${name} --wait". With --force its tasks are started anew elsewhere, and containers may run on there.`,
  });
}
