import { randomBytes } from "node:crypto";
import { findJoinToken, takeJoinToken, tellJoined } from "@drover/db/query/join-token";
import { claimNodeName, ensureNodeLogin } from "@drover/db/query/node-login";
import { DroverError } from "@drover/domain/error";
import { nodeDatabaseUrl } from "../node-url.ts";
import type { Deps } from "./context.ts";
import { hashJoinToken } from "./create-join-token.ts";

export interface JoinNodeOptions {
  token: string;
  name: string;
  /** By which nodes reach the database; who logs in by it is replaced. */
  databaseUrl: string;
}

/** Makes a node of a host: the token is used up, and the node gets a login of its own whose URL is told only here. */
export async function joinNode(
  deps: Deps,
  { token, name, databaseUrl }: JoinNodeOptions,
): Promise<{ databaseUrl: string }> {
  const hash = hashJoinToken(token);
  const password = randomBytes(24).toString("base64url");
  // Checked before anything happens, so that no token is lost to a setting.
  nodeDatabaseUrl(databaseUrl, { login: "node", password });
  const login = await deps.db.transaction(async (tx) => {
    const taken = await takeJoinToken(tx, hash, name);
    if (taken === undefined) return undefined;
    const { namespace_id: namespaceId, labels, taints } = taken;
    const isForName = taken.node_name !== null;
    const holderId = await claimNodeName(tx, namespaceId, { name, labels, taints, isForName });
    if (holderId === undefined) throw nameInUse(name);
    const made = await ensureNodeLogin(tx, namespaceId, name, password);
    await tellJoined(tx, taken, { holderId, name });
    return made;
  });
  // Asked outside the transaction: one that waits for a second connection of its pool may wait for itself.
  if (login === undefined) throw await refusal(deps, hash, name);
  return { databaseUrl: nodeDatabaseUrl(databaseUrl, { login, password }) };
}

/** What the holder of a token that cannot be used is told; nothing of tokens that it does not have. */
async function refusal(deps: Deps, hash: Uint8Array, name: string): Promise<DroverError> {
  const found = await findJoinToken(deps.db, hash);
  const hint = 'Make a new one with "drover node token create".';
  const refuse = (message: string) => new DroverError("forbidden", message, { hint });
  if (found === undefined) {
    return new DroverError(
      "forbidden",
      "Expected a join token as it was told when it was made, got one that is not known.",
      {
        hint: 'Check that all of it was copied, or make a new one with "drover node token create".',
      },
    );
  }
  if (found.revoked_at !== null) return refuse("The join token was revoked.");
  if (found.used_at !== null) {
    return refuse(
      `The join token was used already, at ${found.used_at.toISOString()}${found.used_by === null ? "" : ` by node "${found.used_by}"`}: each is good for one host.`,
    );
  }
  if (found.has_expired) return refuse(`The join token expired at ${found.expires_at.toISOString()}.`);
  if (found.node_name !== null && found.node_name !== name) {
    return new DroverError(
      "forbidden",
      `Expected the name "${found.node_name}", for which the join token was made, got "${name}".`,
      {
        hint: `Join as it: "drover node join --name ${found.node_name} --token TOKEN".`,
      },
    );
  }
  // Another host had it in hand and failed meanwhile.
  return new DroverError("unavailable", "The join token was in use by another host a moment ago.", {
    hint: "Try again.",
    retryAfterMs: 1000,
  });
}

function nameInUse(name: string): DroverError {
  return new DroverError(
    "conflict",
    `There is a node "${name}" already: it lives, or has joined and was not started yet.`,
    {
      hint: `Join under another name with --name. If its host is gone for good: "drover node remove ${name}".`,
    },
  );
}
