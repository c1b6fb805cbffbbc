import type { Json } from "@drover/domain/json";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A run to insert, nested or not. Keys are decimal bigints. */
export interface NewRun {
  id: string;
  namespace_id: number;
  workflow_id: number;
  version_id: number;
  body?: string | undefined;
  root_run_id: string;
  parent_run_id?: string | undefined;
  parent_step?: number | undefined;
  parent_item?: number | undefined;
  depth?: number | undefined;
  input: Json;
  idempotency_key?: string | undefined;
  labels?: Record<string, string> | undefined;
  actor: string;
  deadline_ms?: number | undefined;
  steps_total: number;
  fields?: Record<string, Json> | undefined;
  /** What it, and steps of it, may spend at most, nested runs included. */
  budget_nanos?: number | undefined;
  step_budgets?: { number: number; id: string; nanos: number }[] | undefined;
}

/** Inserts runs, each with the signal that begins it. */
export async function insertRuns(tx: Executor, runs: readonly NewRun[]): Promise<void> {
  await tx.run(sql`select drover.insert_runs(${JSON.stringify(runs)}::json)`);
}

/** Tells that runs were started. */
export async function tellStarted(
  tx: Executor,
  namespaceId: number,
  actor: string,
  runs: readonly { id: string; workflow: string }[],
): Promise<void> {
  await tx.run(sql`
    insert into drover.event (id, namespace_id, kind, actor, run_ids, data)
    values (drover.next_id(), ${namespaceId}, 'run.started', ${actor},
      ${sql.param(runs.map((run) => run.id))}::bigint[],
      ${JSON.stringify({ workflows: [...new Set(runs.map((run) => run.workflow))] })}::json)`);
}

/** A new key for a run, and the database's time in Unix milliseconds. */
export async function newRunKey(db: Executor): Promise<{ id: string; nowMs: number }> {
  const [row] = await db.run<{ id: string; now_ms: number }>(sql`
    select drover.next_id() as id, floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms`);
  if (row === undefined) throw new Error("drover.next_id returned no row");
  return { id: row.id, nowMs: row.now_ms };
}

/**
 * Binds an idempotency key to a run; the run and hash that it is bound to, which are the given ones where it was free.
 * Two that start with one key at once wait for each other.
 */
export async function bindRunKey(
  tx: Executor,
  binding: { workflowId: number; key: string; runId: string; requestHash: Uint8Array },
): Promise<{ run_id: string; is_same: boolean }> {
  const { workflowId, key, runId } = binding;
  const hash = `\\x${Buffer.from(binding.requestHash).toString("hex")}`;
  await tx.run(sql`
    insert into drover.run_key (workflow_id, key, run_id, request_hash)
    values (${workflowId}, ${key}, ${runId}, ${hash}::text::bytea)
    on conflict on constraint run_key_pkey do nothing`);
  const [row] = await tx.run<{ run_id: string; is_same: boolean }>(sql`
    select k.run_id, k.request_hash = ${hash}::text::bytea as is_same
      from drover.run_key k
     where k.workflow_id = ${workflowId} and k.key = ${key}`);
  if (row === undefined) throw new Error("a run key vanished while it was being bound");
  return row;
}
