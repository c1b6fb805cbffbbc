import type { Completion, Failure } from "@drover/db/node/settle";
import type { Json } from "@drover/domain/json";

/** A task in hand. `taskKey` and `fence` (decimal bigints) go with every word about it. */
export interface Claim {
  taskKey: string;
  fence: string;
  attempt: number;
  /** The id that clients know. */
  taskId: string;
  class: string;
  type: string;
  timeoutSeconds: number;
  payload: Json;
}

export type { Completion, Failure };

export interface CancelRequest {
  taskKey: string;
  fence: string;
  reason: string;
  /** drained: it goes back to its queue, since its node is to be empty. Absent: cancelled. */
  kind?: "cancelled" | "drained";
}

/** This process is not to go on. */
export interface Superseded {
  status: "superseded";
  /** Absent: another process registered under this name, and the field is left to it. */
  why?: string;
}

/** What one poll brings. */
export type PollAnswer<C> =
  /** The lease had run out: register anew. */
  | { status: "fenced" }
  | Superseded
  | {
      status: "ok";
      /** Set when this poll renewed the lease. */
      leaseSeconds?: number;
      claims: C[];
      cancels: CancelRequest[];
      /** When to come back if nothing happens before. */
      nextPollMs: number;
      /** There may be more than was taken: come back as soon as there is room. */
      hasMore: boolean;
    };

/** The control plane as a holder sees it: over Postgres (direct.ts) or over RPC (remote.ts). */
export interface Source<C, Free> {
  /** Begins a new life: a new epoch, a lease. */
  register(): Promise<{ leaseSeconds: number } | Superseded>;
  /** Renews when due, claims for what is free, learns what to cancel. */
  poll(free: Free): Promise<PollAnswer<C>>;
  /** Each returns the keys whose claim was no longer current. */
  complete(batch: Completion[]): Promise<string[]>;
  fail(batch: Failure[]): Promise<string[]>;
  /** Every claim that this holder holds, also those whose answer never arrived. */
  held(): Promise<{ taskKey: string; fence: string }[]>;
  /** Hands back what is held and gives up the lease. */
  leave(): Promise<void>;
  /** Calls back when a poll may be worth its while. */
  subscribe(listener: () => void): () => void;
}
