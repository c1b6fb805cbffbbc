import { barNode, endNodeSessions, revokeNodeLogin as revoke } from "@drover/db/query/node-login";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";
import { findNode, nodeNotFound } from "./find-node.ts";

/** Takes a node's login away and ends its sessions; it has to join anew. Doing it twice only ends sessions again. */
export async function revokeNodeLogin(deps: Deps, caller: Caller, name: string): Promise<void> {
  const { id, isRemoved } = await findNode(deps, caller, name);
  if (isRemoved) throw nodeNotFound(name);
  // Its sessions may hold what the revocation waits for.
  await barNode(deps.db, id);
  const before = await endNodeSessions(deps.db, id);
  // Two transactions: a session that is ended before the first is committed could log in again.
  const isRevoked = await revoke(deps.db, id, caller.actor);
  const ended = before + (await endNodeSessions(deps.db, id));
  if (isRevoked || ended > 0) return;
  throw new DroverError("conflict", `Node "${name}" has no login of its own.`, {
    hint: `It was revoked before, or its agent uses the API's own login. Forget the node with "drover node remove ${name}".`,
  });
}
