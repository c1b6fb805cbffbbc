import { type SQL, sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** What reports can be divided by. */
export const reportDimensions = [
  "namespace",
  "workflow",
  "run",
  "step",
  "provider",
  "model",
  "day",
  "week",
  "month",
] as const;
export type ReportDimension = (typeof reportDimensions)[number];

export interface ReportQuestion {
  /** Absent: all of them. */
  namespaceId?: number | undefined;
  from: Date;
  to: Date;
  by: readonly ReportDimension[];
  workflow?: string | undefined;
  rootRunId?: string | undefined;
  limit: number;
}

/** Sums of what ended within a span; numbers are decimal texts. */
export interface ReportRow {
  /** A text for every dimension asked for, in that order; null where an entry has none. */
  keys: (string | null)[];
  calls: string;
  input_tokens: string;
  output_tokens: string;
  cost_nanos: string;
  gpu_ms: string;
}

/** Cost, tokens, calls and GPU time of a span, the dearest first. */
export function reportCosts(db: Executor, question: ReportQuestion): Promise<ReportRow[]> {
  const keys = question.by.map((dimension) => dimensions[dimension]);
  const conditions = [
    sql`e.kind in ('settle', 'gpu')`,
    sql`e.at >= ${question.from.toISOString()}::timestamptz and e.at < ${question.to.toISOString()}::timestamptz`,
    // Keys are made a moment before or after the time beside them: bounds on them keep other weeks closed.
    sql`e.id >= drover.id_base(${question.from.toISOString()}::timestamptz - interval '1 hour')`,
    sql`e.id < drover.id_base(${question.to.toISOString()}::timestamptz + interval '1 hour')`,
  ];
  if (question.namespaceId !== undefined) conditions.push(sql`e.namespace_id = ${question.namespaceId}`);
  if (question.workflow !== undefined) conditions.push(sql`e.workflow = ${question.workflow}`);
  if (question.rootRunId !== undefined) conditions.push(sql`e.root_run_id = ${question.rootRunId}::bigint`);
  return db.run(sql`
    select array[${sql.join(
      keys.map((key) => sql`(${key})::text`),
      sql`, `,
    )}]::text[] as keys, ${sums}
      from drover.ledger e left join drover.namespace n on n.id = e.namespace_id
     where ${sql.join(conditions, sql` and `)}
     group by 1
     order by sum(e.cost_nanos) desc, sum(e.gpu_ms) desc, 1
     limit ${question.limit}`);
}

export interface RunCostRow {
  root_run_id: string;
  calls: string;
  input_tokens: string;
  output_tokens: string;
  cost_nanos: string;
  gpu_ms: string;
  /** Set aside for calls under way. */
  held_nanos: string;
}

/** What runs have cost, with everything nested in them; runs without any cost are missing from the map. */
export async function runCost(db: Executor, rootRunIds: readonly string[]): Promise<Map<string, RunCostRow>> {
  if (rootRunIds.length === 0) return new Map();
  const rows = await db.run<RunCostRow>(sql`
    select r.id as root_run_id, c.*
      from unnest(${sql.param(rootRunIds)}::bigint[]) as r (id)
     cross join lateral (
       select ${sums}, sum(e.held_nanos)::text as held_nanos
         from drover.ledger e
        -- What a run causes is younger than the run: older weeks stay closed.
        where e.root_run_id = r.id and e.id >= r.id) c
     where c.calls is not null`);
  return new Map(rows.map((row) => [row.root_run_id, row]));
}

export interface StepCostRow extends Omit<RunCostRow, "root_run_id"> {
  run_id: string | null;
  step: string | null;
}

/** What each step of a run and of its nested ones has cost. */
export function stepCosts(db: Executor, rootRunId: string): Promise<StepCostRow[]> {
  return db.run(sql`
    select e.run_id, e.step, ${sums}, sum(e.held_nanos)::text as held_nanos
      from drover.ledger e
     where e.root_run_id = ${rootRunId}::bigint and e.id >= ${rootRunId}::bigint
     group by e.run_id, e.step
     order by sum(e.cost_nanos) desc, e.run_id, e.step`);
}

/** A counter that is not what the ledger says. */
export interface LedgerDifference {
  kind: "limit" | "budget" | "call";
  name: string;
  counter: string;
  expected: string;
  actual: string;
}

/** Rebuilds every counter from the ledger; those that differ. Reads the whole ledger. */
export function verifyLedger(db: Executor): Promise<LedgerDifference[]> {
  return db.run(sql`select kind, name, counter, expected, actual from drover.verify_ledger()`);
}

export interface SpendingTotals {
  calls: string;
  tokens: string;
  cost_nanos: string;
  gpu_ms: string;
}

/** Totals of this day of UTC, over all namespaces. */
export async function spendingToday(db: Executor): Promise<SpendingTotals> {
  const [row] = await db.run<SpendingTotals>(sql`
    select coalesce(sum(e.requests), 0)::text as calls, coalesce(sum(e.input_tokens + e.output_tokens), 0)::text as tokens,
           coalesce(sum(e.cost_nanos), 0)::text as cost_nanos, coalesce(sum(e.gpu_ms), 0)::text as gpu_ms
      from drover.ledger e
     where e.id >= drover.id_base(drover.period_start('day', now())) and e.at >= drover.period_start('day', now())`);
  return row ?? { calls: "0", tokens: "0", cost_nanos: "0", gpu_ms: "0" };
}

/** How many tasks are held back by limits, and by money that others hold. */
export async function callsHeldBack(db: Executor): Promise<{ limited: number; blocked: number }> {
  const [row] = await db.run<{ limited: number; blocked: number }>(sql`
    select count(*) filter (where w.reason = 'rate_limited')::integer as limited,
           count(*) filter (where w.reason = 'blocked')::integer as blocked
      from drover.task_waiting w where w.reason in ('rate_limited', 'blocked')`);
  return row ?? { limited: 0, blocked: 0 };
}

const sums = sql`
  sum(e.requests)::text as calls, sum(e.input_tokens)::text as input_tokens, sum(e.output_tokens)::text as output_tokens,
  sum(e.cost_nanos)::text as cost_nanos, sum(e.gpu_ms)::text as gpu_ms`;

const dimensions: Record<ReportDimension, SQL> = {
  namespace: sql`n.name`,
  workflow: sql`e.workflow`,
  run: sql`e.root_run_id`,
  step: sql`e.step`,
  provider: sql`e.provider`,
  model: sql`e.model`,
  day: sql`to_char(e.at at time zone 'utc', 'YYYY-MM-DD')`,
  week: sql`to_char(e.at at time zone 'utc', 'IYYY-"W"IW')`,
  month: sql`to_char(e.at at time zone 'utc', 'YYYY-MM')`,
};
