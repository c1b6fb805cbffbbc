import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { JoinTokenRow } from "@drover/db/query/join-token";
import type { NodeRow } from "@drover/db/query/node";
import type { NodeGpuRow } from "@drover/db/query/node-gpu";
import type { DrainEstimate } from "@drover/domain/drain";
import { formatTaskKey } from "@drover/domain/task-id";
import {
  type DrainItem,
  DrainItemSchema,
  type Gpu,
  GpuSchema,
  GpuState,
  type JoinToken,
  JoinTokenSchema,
  type Node,
  NodeSchema,
  NodeState,
} from "@drover/proto/drover/node";

const nodeStates = { ready: NodeState.READY, draining: NodeState.DRAINING, lost: NodeState.LOST } as const;
const gpuStates = { ready: GpuState.READY, cordoned: GpuState.CORDONED, gone: GpuState.GONE } as const;

/** A node as clients see it. */
export function nodeMessage(row: NodeRow, gpus: readonly NodeGpuRow[]): Node {
  return create(NodeSchema, {
    name: row.name,
    state: nodeStates[row.state],
    epoch: BigInt(row.epoch),
    slots: row.slots,
    executors: row.executors,
    running: Number(row.running),
    ...(row.lease_expires_at && { leaseExpiresAt: timestampFromDate(row.lease_expires_at) }),
    joinedAt: timestampFromDate(row.joined_at),
    version: row.version,
    facts: row.facts,
    labels: row.labels,
    taints: row.taints,
    isCordoned: row.cordoned_at !== null,
    cordonReason: row.cordon_reason ?? "",
    ...(row.drain_deadline_at && { drainDeadlineAt: timestampFromDate(row.drain_deadline_at) }),
    ...(row.lost_at && { lostAt: timestampFromDate(row.lost_at) }),
    replicas: Number(row.replicas),
    gpus: gpus.filter(({ node }) => node === row.name).map(gpuMessage),
  });
}

/** A GPU, or a slice of one, with who has it. */
export function gpuMessage(row: NodeGpuRow): Gpu {
  return create(GpuSchema, {
    node: row.node,
    uuid: row.uuid,
    kind: row.kind,
    vendor: row.vendor,
    number: row.number,
    model: row.model,
    memoryMib: row.memory_mib,
    driver: row.driver,
    profile: row.profile ?? "",
    parentUuid: row.parent_uuid ?? "",
    slots: row.slot_count,
    holders: row.holders.map(({ slot, taskKey, taskName, replica, memoryMib }) => ({
      slot,
      taskId: taskName ?? (taskKey === null ? "" : formatTaskKey(BigInt(taskKey))),
      replica: replica ?? "",
      memoryMib: memoryMib ?? 0,
    })),
    state: gpuStates[row.state],
    evidence: row.evidence ?? "",
    ...(row.utilization_percent !== null && { utilizationPercent: row.utilization_percent }),
  });
}

/** A join token without its secret, which nobody has kept. */
export function joinTokenMessage(row: JoinTokenRow): JoinToken {
  return create(JoinTokenSchema, {
    id: row.id,
    nodeName: row.node_name ?? "",
    createdAt: timestampFromDate(row.created_at),
    expiresAt: timestampFromDate(row.expires_at),
    ...(row.used_at && { usedAt: timestampFromDate(row.used_at) }),
    usedBy: row.used_by ?? "",
    ...(row.revoked_at && { revokedAt: timestampFromDate(row.revoked_at) }),
    actor: row.actor,
  });
}

/** What is to leave a node. */
export function drainItemMessage({ kind, name, to, expectedSeconds, rejections }: DrainEstimate): DrainItem {
  return create(DrainItemSchema, { kind, name, to: to ?? "", expectedSeconds, rejections: [...rejections] });
}
