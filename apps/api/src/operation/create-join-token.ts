import { createHash, randomBytes } from "node:crypto";
import { insertJoinToken, type JoinTokenRow } from "@drover/db/query/join-token";
import type { Caller, Deps } from "./context.ts";
import { checkLabels, checkTaints } from "./update-node.ts";

export interface JoinTokenDraft {
  /** The only name that it may be used for; empty: the host chooses. */
  nodeName: string;
  labels: Record<string, string>;
  taints: readonly string[];
  /** 0: an hour. */
  ttlSeconds: number;
}

const prefix = "drover-join-";

/** Makes a permission for one host to become a node. The token is told here and nowhere else. */
export async function createJoinToken(
  deps: Deps,
  caller: Caller,
  { nodeName, labels, taints, ttlSeconds }: JoinTokenDraft,
): Promise<{ token: string; info: JoinTokenRow }> {
  checkLabels("labels", labels);
  checkTaints("taints", taints);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const token = `${prefix}${randomBytes(32).toString("base64url")}`;
  const info = await insertJoinToken(
    deps.db,
    { namespaceId, actor: caller.actor },
    {
      hash: hashJoinToken(token),
      nodeName: nodeName || undefined,
      labels,
      taints,
      ttlSeconds: ttlSeconds || 3600,
    },
  );
  return { token, info };
}

/** What is kept of a token: 256 random bits need no salt. */
export function hashJoinToken(token: string): Uint8Array {
  return createHash("sha256").update(token.trim()).digest();
}
