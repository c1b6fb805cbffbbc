import { sql } from "drizzle-orm";
import type { ErrorReason } from "@drover/domain/error";
import type { ReplicaSpec, ReplicaState } from "@drover/domain/environment/replica";
import type { Executor } from "../client.ts";
import type { GrantedGpu } from "./register.ts";

/** A replica as its node is to keep it. */
export interface WantedReplica {
  /** Decimal bigint. */
  id: string;
  namespace: string;
  environment: string;
  service: string;
  number: number;
  generation: number;
  spec: ReplicaSpec;
  specHash: string;
  /** gone: stop and remove it, and say so. */
  wanted: "running" | "stopped" | "gone";
  /** A container of an older round is replaced. */
  round: number;
  gpus: GrantedGpu[] | null;
  /** Services on other nodes that it depends on and that are not up. */
  unmet: string[] | null;
  /** Those that are up on another node, whatever becomes of their replicas here. */
  met?: string[] | null;
}

/** What a node says of a replica. Absent fields are unknown. */
export interface ReplicaReport {
  replicaId: string;
  /** gone: what was to be removed is. */
  state: Exclude<ReplicaState, "pending"> | "gone";
  isHealthy?: boolean;
  message?: string;
  containerId?: string;
  imageDigest?: string;
  specHash?: string;
  round?: number;
  /** ISO 8601. */
  startedAt?: string;
  healthySince?: string;
  restarts?: number;
  exitCode?: number;
  ports?: { containerPort: number; hostPort: number; hostIp: string; protocol: string }[];
  /** 0 to 100. */
  progress?: number;
  drift?: { field: string; wanted: string; found: string }[];
}

/** What is asked of a node at once, and the number of the part that its answer goes on with. */
export type NodeRequest = { id: string; nextChunk: number } & NodeRequestSpec;

export type NodeRequestSpec =
  /** Lines of a replica's log: the last `tail` (0: all), since a time in unix seconds, and on. */
  | { kind: "logs"; spec: { replicaId: string; follow: boolean; tail: number; sinceSeconds: number } }
  /** Probes the replicas every so many seconds; 0: once. */
  | { kind: "probe"; spec: { replicaIds: string[]; intervalSeconds: number } }
  | { kind: "pull"; spec: { images: string[] } }
  | { kind: "usage"; spec: { replicaIds: string[] } };

export type NodeReply =
  /** Nothing new; by it the node learns whether anybody waits still. */
  | { isAlive: true }
  | { containerId: string; lines: ServiceLogLine[] }
  | { probes: { replicaId: string; isHealthy: boolean; message: string; details: Record<string, string> }[] }
  | {
      pull: {
        image: string;
        status: "downloading" | "extracting" | "complete" | "error";
        current: number;
        total: number;
        percent: number;
        message?: string;
      };
    }
  | {
      usage: {
        replicaId: string;
        cpuPercent: number;
        memoryBytes: number;
        networkRxBytes: number;
        networkTxBytes: number;
      }[];
    }
  | { error: string; reason: ErrorReason };

/** The stamp is the engine's own, with nanoseconds. */
export type ServiceLogLine = [stream: "stdout" | "stderr", stamp: string, message: string];

/** Tells what became of replicas; false when a newer life of the node has taken over. */
export async function report(
  db: Executor,
  holder: { holderId: number; epoch: string },
  statuses: readonly ReplicaReport[],
): Promise<boolean> {
  const [row] = await db.run<{ known: boolean }>(
    sql`select node.report(${holder.holderId}, ${holder.epoch}, ${JSON.stringify(statuses)}::json) as known`,
  );
  return row?.known ?? false;
}

/**
 * Sends a part of an answer, counted from 0. unwanted: nobody waits for it any more. full: too much is unread; offer the
 * same part again in a moment.
 */
export async function reply(
  db: Executor,
  holder: { holderId: number; epoch: string },
  part: { requestId: string; chunk: number; body: NodeReply; isLast: boolean },
): Promise<"taken" | "full" | "unwanted"> {
  const [row] = await db.run<{ wanted: boolean | null }>(sql`
    select node.reply(${holder.holderId}, ${holder.epoch}, ${part.requestId}, ${part.chunk},
      ${JSON.stringify(part.body)}::json, ${part.isLast}) as wanted`);
  if (row === undefined) return "unwanted";
  return row.wanted === null ? "full" : row.wanted ? "taken" : "unwanted";
}
