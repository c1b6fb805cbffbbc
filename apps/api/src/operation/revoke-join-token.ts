import { revokeJoinToken as revoke } from "@drover/db/query/join-token";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Makes a token useless that was not used yet. Doing it twice changes nothing. */
export async function revokeJoinToken(deps: Deps, caller: Caller, id: number): Promise<void> {
  await deps.directory.namespaceId(caller.namespace);
  if (await revoke(deps.db, caller.actor, id)) return;
  throw new DroverError("not_found", `There is no join token ${id} that could still be used.`, {
    hint: 'List the tokens with "drover node token list"; a node that joined is taken back with "drover node revoke NAME".',
  });
}
