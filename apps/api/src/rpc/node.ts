import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { listNodes, type NodeRow } from "@drover/db/query/node";
import { DroverError } from "@drover/domain/error";
import { type Node, NodeSchema, type NodeService, NodeState } from "@drover/proto/drover/node";
import type { Deps } from "../operation/context.ts";
import { callerOf } from "./caller.ts";

/** drover.v1.NodeService. */
export function nodeService(deps: Deps): Partial<ServiceImpl<typeof NodeService>> {
  return {
    async listNodes(_, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      return { nodes: (await listNodes(deps.db, namespaceId)).map(nodeMessage) };
    },
    async getNode({ name }, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const [row] = await listNodes(deps.db, namespaceId, name);
      if (row === undefined) {
        throw new DroverError("not_found", `There is no node "${name}".`, {
          hint: 'List the nodes with "drover node list".',
        });
      }
      return { node: nodeMessage(row) };
    },
  };
}

const states = { ready: NodeState.READY, draining: NodeState.DRAINING, lost: NodeState.LOST } as const;

function nodeMessage(row: NodeRow): Node {
  return create(NodeSchema, {
    name: row.name,
    state: states[row.state],
    epoch: BigInt(row.epoch),
    slots: row.slots,
    executors: row.executors,
    running: Number(row.running),
    ...(row.lease_expires_at && { leaseExpiresAt: timestampFromDate(row.lease_expires_at) }),
    joinedAt: timestampFromDate(row.joined_at),
    version: row.version,
    facts: row.facts,
  });
}
