import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface Registration {
  kind: "node" | "worker";
  name: string;
  namespace: string;
  executors: string[];
  taskTypes: string[];
  /** Null: every class. */
  classes: string[] | null;
  /** How many tasks of a class run at once. */
  slots: Record<string, number>;
  facts: Record<string, string>;
  version: string;
}

export interface Registered {
  holderId: number;
  /** Decimal bigint. */
  epoch: string;
  leaseSeconds: number;
  /** What a former life of this node still holds; empty for workers. */
  held: HeldClaim[];
}

/** A claim as the database tells it; keys are decimal bigints. */
export interface HeldClaim {
  task_id: string;
  fence: string;
  attempt: number;
  class: string;
  executor: string;
  type?: string;
  namespace: string;
  /** The id that the client chose; null: the text form of task_id. */
  name: string | null;
  timeout_seconds: number;
  payload: unknown;
  execution: unknown;
  /** What was reserved for a call to a model. */
  grant?: { maxOutputTokens?: number } | null;
  /** Slots of GPUs that were set aside for it. */
  gpus?: GrantedGpu[] | null;
  started_at?: string;
  /** How far the log of this attempt is stored; null: nothing yet. */
  log_chunk?: number | null;
  log_until_ms?: number | null;
}

/** A slot of a GPU, as the node that has it is told of it. */
export interface GrantedGpu {
  uuid: string;
  vendor: "nvidia" | "amd";
  /** As the driver counts them. */
  number: number;
  kind: "whole" | "mig" | "shared";
  slot: number;
  /** Set aside of a shared GPU; null: no part of it in particular. */
  memoryMib: number | null;
}

/** Begins a life of a holder: a new epoch, a lease, and for a node what it still holds. */
export async function register(db: Executor, r: Registration): Promise<Registered> {
  const [row] = await db.run<{ holder_id: number; epoch: string; lease_seconds: number; held: HeldClaim[] }>(sql`
    select holder_id, epoch, lease_seconds, held
      from node.register(${r.kind}, ${r.name}, ${r.namespace}, ${sql.param(r.executors)}::text[], ${sql.param(r.taskTypes)}::text[],
        ${sql.param(r.classes)}::text[], ${JSON.stringify(r.slots)}::jsonb, ${JSON.stringify(r.facts)}::jsonb, ${r.version})`);
  if (row === undefined) throw new Error("node.register returned no row");
  return { holderId: row.holder_id, epoch: row.epoch, leaseSeconds: row.lease_seconds, held: row.held };
}

/** Ends a life: what is still held goes back to its queues. False when a newer life had taken over. */
export async function leave(db: Executor, holderId: number, epoch: string): Promise<boolean> {
  const [row] = await db.run<{ left: boolean }>(sql`select node.leave(${holderId}, ${epoch}) as left`);
  return row?.left ?? false;
}

/** No further claims for this holder; what runs goes on. */
export async function drain(db: Executor, holderId: number, epoch: string): Promise<void> {
  await db.run(sql`select node.drain(${holderId}, ${epoch})`);
}

/** Tells what changed of a holder while it lives. False when a newer life has taken over. */
export async function describe(
  db: Executor,
  holder: { holderId: number; epoch: string },
  facts: Pick<Registration, "executors" | "slots" | "facts">,
): Promise<boolean> {
  const [row] = await db.run<{ known: boolean }>(sql`
    select node.describe(${holder.holderId}, ${holder.epoch}, ${sql.param(facts.executors)}::text[],
      ${JSON.stringify(facts.slots)}::jsonb, ${JSON.stringify(facts.facts)}::jsonb) as known`);
  return row?.known ?? false;
}

/** The claims that a holder holds, whether it knows of them or not. */
export async function held(db: Executor, holderId: number): Promise<{ taskKey: string; fence: string }[]> {
  const rows = await db.run<{ task_id: string; fence: string }>(sql`select task_id, fence from node.held(${holderId})`);
  return rows.map((row) => ({ taskKey: row.task_id, fence: row.fence }));
}
