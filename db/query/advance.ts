import type { Json } from "@drover/domain/json";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A run that this transaction has locked, and what was signalled to it. */
export interface TakenRun {
  run_id: string;
  now_ms: number;
  run: {
    namespaceId: number;
    workflowId: number;
    versionId: number;
    body: string | null;
    rootRunId: string;
    depth: number;
    input: Json;
    labels: Record<string, string> | null;
    deadlineMs: number | null;
  };
  open: {
    isStarted: boolean;
    wakeAtMs: number | null;
    isDue: boolean | null;
    stopping: "cancelled" | "deadline" | "failed" | null;
    cancelReason: string | null;
    total: number;
    completed: number;
    failed: number;
    tolerated: number;
    skipped: number;
    cancelled: number;
    running: number;
    held: number;
    fields: Record<string, Json> | null;
    mailbox: { name: string; data: Json }[] | null;
  };
  signals: TakenSignal[];
}

export interface TakenSignal {
  kind: "start" | "task" | "run" | "event" | "decision" | "cancel";
  data: Record<string, Json> | null;
  taskId: string | null;
  childRunId: string | null;
  /** How the task or the nested run ended; null where it is open again. */
  state: string | null;
  error: { class: string; message: string } | null;
  row: StepFacts | null;
  /** Of an item: the row of its step. */
  header: StepFacts | null;
}

/** A row of a step. */
export interface StepFacts {
  number: number;
  item: number;
  state: "pending" | "running" | "waiting" | "completed" | "failed" | "skipped" | "cancelled";
  taskId: string | null;
  childRunId: string | null;
  exits: number[] | null;
  data: Record<string, Json> | null;
  error: { class: string; message: string } | null;
}

/** Locks runs that have something to do and takes their signals; no two transactions get the same run. */
export function takeRuns(tx: Executor, runs: number, signals: number): Promise<TakenRun[]> {
  return tx.run(sql`select * from drover.take_runs(${runs}, ${signals})`);
}

/** How many nested runs a run has begun so far, those of nested ones included. */
export async function countNestedRuns(tx: Executor, rootRunId: string): Promise<number> {
  const [row] = await tx.run<{ nested_runs: string }>(
    sql`select nested_runs from drover.run_tree where root_run_id = ${rootRunId}`,
  );
  return Number(row?.nested_runs ?? 0);
}

/** Numbers for ids, in advance: an id is the time and one of these. */
export async function nextSequence(db: Executor, count: number): Promise<number[]> {
  const [row] = await db.run<{ numbers: number[] }>(sql`
    select json_agg(nextval('drover.id_sequence')) as numbers from generate_series(1, ${count})`);
  return row?.numbers ?? [];
}

/** A step of a run. */
export interface StepKey {
  runId: string;
  number: number;
}

/** Rows of steps; those that were not reached are not among them. */
export function loadSteps(tx: Executor, keys: readonly StepKey[]): Promise<{ run_id: string; step: StepFacts }[]> {
  return tx.run(
    sql`select run_id, step from drover.read_steps(${runsOf(keys)}::bigint[], ${numbersOf(keys)}::integer[])`,
  );
}

/** Rows that are held back, at most `perStep` of each of the first `steps` steps, in order. */
export function loadHeld(
  tx: Executor,
  runId: string,
  { steps, perStep }: { steps: number; perStep: number },
): Promise<{ step: StepFacts }[]> {
  return tx.run(sql`
    with recursive line as (
      (select s.number from drover.step s where s.run_id = ${runId} and s.state = 'pending' order by s.number limit 1)
      union all
      select (select s.number from drover.step s
               where s.run_id = ${runId} and s.state = 'pending' and s.number > line.number order by s.number limit 1)
        from line where line.number is not null
    )
    select drover.step_json(held) as step
      from (select number from line where number is not null limit ${steps}) first
     cross join lateral (
       select s.* from drover.step s
        where s.run_id = ${runId} and s.state = 'pending' and s.number = first.number
        order by s.item limit ${perStep}) held
     order by held.number, held.item`);
}

/** Rows that wait for a time, an event or an approval. */
export function loadWaiting(tx: Executor, runId: string): Promise<{ step: StepFacts }[]> {
  return tx.run(sql`
    select drover.step_json(s) as step
      from drover.step s
     where s.run_id = ${runId} and s.state = 'waiting'
     order by s.number, s.item`);
}

/** What a step gave, raw: the stored output, or the result of its task or nested run. */
export interface OutputRow {
  run_id: string;
  number: number;
  item: number;
  is_stored: boolean;
  output: Json;
}

/** What steps gave; of a map also what its items gave, in their order. */
export function loadOutputs(tx: Executor, keys: readonly StepKey[]): Promise<OutputRow[]> {
  return tx.run(sql`
    select run_id, number, item, is_stored, output
      from drover.read_outputs(${runsOf(keys)}::bigint[], ${numbersOf(keys)}::integer[])`);
}

/** Results of tasks and outputs of nested runs, by their ids. */
export function loadResults(tx: Executor, ids: readonly string[]): Promise<{ id: string; result: Json }[]> {
  return tx.run(sql`select id, result from drover.read_results(${sql.param(ids)}::bigint[])`);
}

/** What is remembered in a scope, oldest first. */
export function loadMemory(tx: Executor, namespaceId: number, scope: string): Promise<{ key: string; value: Json }[]> {
  return tx.run(sql`
    select m.key, m.value from drover.memory m
     where m.namespace_id = ${namespaceId} and m.scope = ${scope}
     order by m.updated_at, m.key`);
}

/** Writes an advance; the plan is JSON, as drover.write_advance reads it. The hints leave with the commit. */
export async function writeAdvance(tx: Executor, plan: object, hints: readonly string[]): Promise<void> {
  await tx.run(sql`select drover.write_advance(${JSON.stringify({ ...plan, hints })}::json)`);
}

/** Whether any run has something to do, and in how many milliseconds the next one will otherwise. */
export async function advanceOutlook(db: Executor): Promise<{ hasSignals: boolean; nextMs: number | undefined }> {
  const [row] = await db.run<{ has_signals: boolean; next_ms: number | null }>(sql`
    select exists (select from drover.run_signal) as has_signals,
           (select extract(epoch from min(o.wake_at) - clock_timestamp())::float8 * 1000
              from drover.run_open o where o.wake_at is not null) as next_ms`);
  return { hasSignals: row?.has_signals ?? false, nextMs: row?.next_ms ?? undefined };
}

function runsOf(keys: readonly StepKey[]) {
  return sql.param(keys.map(({ runId }) => runId));
}

function numbersOf(keys: readonly StepKey[]) {
  return sql.param(keys.map(({ number }) => number));
}
