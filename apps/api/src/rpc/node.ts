import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { listJoinTokens } from "@drover/db/query/join-token";
import { listNodes } from "@drover/db/query/node";
import { listNodeGpus } from "@drover/db/query/node-gpu";
import type { Node, NodeService } from "@drover/proto/drover/node";
import type { Deps } from "../operation/context.ts";
import { cordonNode, uncordonNode } from "../operation/cordon-node.ts";
import { createJoinToken } from "../operation/create-join-token.ts";
import { drainNode } from "../operation/drain-node.ts";
import { nodeNotFound } from "../operation/find-node.ts";
import { joinNode } from "../operation/join-node.ts";
import { removeNode } from "../operation/remove-node.ts";
import { revokeJoinToken } from "../operation/revoke-join-token.ts";
import { revokeNodeLogin } from "../operation/revoke-node-login.ts";
import { updateNode } from "../operation/update-node.ts";
import { callerOf } from "./caller.ts";
import { gpuHandlers } from "./node-gpu.ts";
import { drainItemMessage, joinTokenMessage, nodeMessage } from "./node-message.ts";

export interface NodeServiceOptions {
  deps: Deps;
  /** By which nodes that join are to reach the database; their own logins go into it. */
  nodeDatabaseUrl: string;
}

/** drover.v1.NodeService, all but the pulls of images. */
export function nodeService({
  deps,
  nodeDatabaseUrl,
}: NodeServiceOptions): Omit<ServiceImpl<typeof NodeService>, "pullImages"> {
  // Nodes serve all namespaces; one that is not there is refused all the same, as it is misspelt.
  const checkNamespace = (context: HandlerContext) => deps.directory.namespaceId(callerOf(context).namespace);
  const read = async (name: string): Promise<{ node: Node }> => {
    const [row] = await listNodes(deps.db, name);
    if (row === undefined) throw nodeNotFound(name);
    return { node: nodeMessage(row, await listNodeGpus(deps.db, { node: name })) };
  };
  return {
    async listNodes(_, context) {
      await checkNamespace(context);
      const gpus = await listNodeGpus(deps.db);
      return { nodes: (await listNodes(deps.db)).map((row) => nodeMessage(row, gpus)) };
    },
    async getNode({ name }, context) {
      await checkNamespace(context);
      return read(name);
    },
    async createJoinToken(request, context) {
      const { token, info } = await createJoinToken(deps, callerOf(context), request);
      return { token, info: joinTokenMessage(info) };
    },
    async listJoinTokens(_, context) {
      await checkNamespace(context);
      return { tokens: (await listJoinTokens(deps.db)).map(joinTokenMessage) };
    },
    async revokeJoinToken({ id }, context) {
      await revokeJoinToken(deps, callerOf(context), id);
      return {};
    },
    async join({ token, name }) {
      const { databaseUrl } = await joinNode(deps, { token, name, databaseUrl: nodeDatabaseUrl });
      return { ...(await read(name)), databaseUrl };
    },
    async updateNode({ name, ...marks }, context) {
      await updateNode(deps, callerOf(context), name, marks);
      return read(name);
    },
    async cordonNode({ name, reason }, context) {
      await cordonNode(deps, callerOf(context), name, reason);
      return read(name);
    },
    async uncordonNode({ name }, context) {
      await uncordonNode(deps, callerOf(context), name);
      return read(name);
    },
    async drainNode({ name, deadlineSeconds, reason, planOnly }, context) {
      const draft = { deadlineSeconds, reason, isPlan: planOnly };
      const { items, expectedSeconds } = await drainNode(deps, callerOf(context), name, draft);
      return { ...(await read(name)), items: items.map(drainItemMessage), expectedSeconds };
    },
    async removeNode({ name, force }, context) {
      await removeNode(deps, callerOf(context), name, force);
      return {};
    },
    async revokeNodeLogin({ name }, context) {
      await revokeNodeLogin(deps, callerOf(context), name);
      return {};
    },
    ...gpuHandlers(deps),
  };
}
