import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import type { HeldClaim } from "./register.ts";
import type { NodeRequest, WantedReplica } from "./replica.ts";

export interface CancelRequest {
  task_id: string;
  fence: string;
  reason: string | null;
  /** drained: it goes back to its queue, since its node is to be empty. Absent: cancelled. */
  kind?: "cancelled" | "drained";
}

/** Not renewed: the lease had run out, or a newer life has taken over. */
export interface Refused {
  status: "fenced" | "superseded";
}

export type SyncAnswer =
  | Refused
  | {
      status: "ok";
      leaseSeconds: number;
      nextSyncMs: number;
      claims: HeldClaim[];
      cancels: CancelRequest[];
      /** Decimal bigint; to be handed in with the next sync. */
      revision: string;
      /** Everything that the node is to keep; absent: as before. */
      replicas?: WantedReplica[];
      /** What is asked of the node and not answered yet; absent: as before. */
      requests?: NodeRequest[];
    };

/** One round trip of an agent: renew, claim for the free slots, learn what to cancel and when to come back. */
export async function sync(
  db: Executor,
  holder: { holderId: number; epoch: string },
  freeSlots: Record<string, number>,
  isListening: boolean,
  /** Of the last answer; -1: none yet. */
  seenRevision = "-1",
): Promise<SyncAnswer> {
  const [row] = await db.run<{
    status: string;
    lease_seconds: number;
    next_sync_ms: number;
    claims: HeldClaim[];
    cancels: CancelRequest[];
    revision: string;
    replicas: WantedReplica[] | null;
    requests: NodeRequest[] | null;
  }>(sql`
    select status, lease_seconds, next_sync_ms, claims, cancels, revision, replicas, requests
      from node.sync(${holder.holderId}, ${holder.epoch}, ${JSON.stringify(freeSlots)}::jsonb, ${isListening}, ${seenRevision})`);
  if (row === undefined || row.status !== "ok") return refused(row?.status);
  return {
    status: "ok",
    leaseSeconds: row.lease_seconds,
    nextSyncMs: row.next_sync_ms,
    claims: row.claims,
    cancels: row.cancels,
    revision: row.revision,
    ...(row.replicas !== null && { replicas: row.replicas }),
    ...(row.requests !== null && { requests: row.requests }),
  };
}

export interface WorkerClaim {
  task_id: string;
  fence: string;
  attempt: number;
  timeout_seconds: number;
  name: string | null;
  payload: unknown;
  type: string;
  class: string;
}

/** Up to `limit` tasks of a worker's types; empty also when a newer life has taken over, which renew tells. */
export function claim(
  db: Executor,
  holder: { holderId: number; epoch: string },
  limit: number,
): Promise<WorkerClaim[]> {
  return db.run(sql`
    select task_id, fence, attempt, timeout_seconds, name, payload, type, class
      from node.claim(${holder.holderId}, ${holder.epoch}, ${limit})`);
}

export type RenewAnswer = Refused | { status: "ok"; leaseSeconds: number; cancels: CancelRequest[] };

/** Renews a worker's lease, and with it all that it holds. */
export async function renew(db: Executor, holder: { holderId: number; epoch: string }): Promise<RenewAnswer> {
  const [row] = await db.run<{ status: string; lease_seconds: number; cancels: CancelRequest[] }>(sql`
    select status, lease_seconds, cancels from node.renew(${holder.holderId}, ${holder.epoch})`);
  if (row === undefined || row.status !== "ok") return refused(row?.status);
  return { status: "ok", leaseSeconds: row.lease_seconds, cancels: row.cancels };
}

function refused(status: string | undefined): Refused {
  return { status: status === "superseded" ? "superseded" : "fenced" };
}
