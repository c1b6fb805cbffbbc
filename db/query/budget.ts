import type { BudgetAction, BudgetPeriod, BudgetScope } from "@drover/domain/budget";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A named budget as it is set. */
export interface NewBudget {
  name: string;
  scope: "namespace" | "workflow";
  workflow?: string | undefined;
  provider?: string | undefined;
  /** A name, or a beginning followed by `*`. */
  model?: string | undefined;
  period: BudgetPeriod;
  limitNanos: bigint;
  alertPercents: readonly number[];
  whenExceeded: BudgetAction;
}

export interface BudgetRow {
  name: string | null;
  scope: BudgetScope;
  workflow: string | null;
  run_id: string | null;
  step: string | null;
  provider: string | null;
  model: string | null;
  period: BudgetPeriod;
  limit_nanos: string;
  alert_percents: number[];
  when_exceeded: BudgetAction;
  held_nanos: string;
  /** In the period that is under way. */
  spent_nanos: string;
  period_started_at: Date | null;
  waiting: string;
  updated_at: Date;
}

/** Makes a budget or changes the one of this name; `conflict` where it covers something else. */
export async function setBudget(
  db: Executor,
  namespaceId: number,
  budget: NewBudget,
  actor: string,
): Promise<"set" | "conflict"> {
  const [row] = await db.run<{ verdict: "set" | "conflict" }>(sql`
    select drover.set_budget(${namespaceId}, ${budget.name}, ${budget.scope}, ${budget.workflow ?? null}, ${budget.provider ?? null},
      ${budget.model ?? null}, ${budget.period}, ${budget.limitNanos.toString()}::bigint, ${sql.param(budget.alertPercents)}::integer[],
      ${budget.whenExceeded}, ${actor}) as verdict`);
  return row?.verdict ?? "conflict";
}

/** Removes a budget; false when there is none of this name. */
export async function deleteBudget(db: Executor, namespaceId: number, name: string, actor: string): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(
    sql`select drover.delete_budget(${namespaceId}, ${name}, ${actor}) as found`,
  );
  return row?.found ?? false;
}

/** The named budgets of a namespace, or those of a run with its nested ones and of their steps. */
export function listBudgets(
  db: Executor,
  namespaceId: number,
  { name, rootRunId }: { name?: string | undefined; rootRunId?: string | undefined } = {},
): Promise<BudgetRow[]> {
  return db.run(sql`
    select b.name, b.scope, b.workflow, b.run_id, b.step, b.provider, b.model, b.period, b.limit_nanos, b.alert_percents, b.when_exceeded,
           b.held_nanos, p.started_at as period_started_at,
           case when b.period_started_at is distinct from p.started_at then 0 else b.spent_nanos end as spent_nanos,
           (select count(*) from drover.task_waiting w where w.budget_id = b.id) as waiting, b.updated_at
      from drover.budget b
     cross join lateral (select drover.period_start(b.period, now()) as started_at) p
     where b.namespace_id = ${namespaceId} and b.root_run_id is not distinct from ${rootRunId ?? null}::bigint
       and (${name ?? null}::text is null or b.name = ${name ?? null}::text)
     order by b.name, b.run_id, b.step_number nulls first`);
}

/** The named budgets of all namespaces with what is spent in the period that is under way. */
export function listNamedBudgets(
  db: Executor,
): Promise<{ name: string; namespace: string; limit_nanos: string; spent_nanos: string }[]> {
  return db.run(sql`
    select b.name, n.name as namespace, b.limit_nanos,
           case when b.period_started_at is distinct from drover.period_start(b.period, now()) then 0 else b.spent_nanos end as spent_nanos
      from drover.budget b join drover.namespace n on n.id = b.namespace_id
     where b.name is not null
     order by b.name`);
}

/** What a run and steps of it may spend; the run's nested ones count in both. */
export interface RunBudgets {
  namespaceId: number;
  rootRunId: string;
  runId: string;
  limitNanos?: bigint | undefined;
  steps?: readonly { number: number; id: string; limitNanos: bigint }[];
}

/** Opens the budgets of a run, in the transaction that makes it; a second time changes nothing. */
export async function openBudgets(db: Executor, budgets: RunBudgets): Promise<void> {
  const { namespaceId, rootRunId, runId, limitNanos, steps = [] } = budgets;
  if (limitNanos === undefined && steps.length === 0) return;
  await db.run(sql`
    select drover.open_budgets(${namespaceId}, ${rootRunId}::bigint, ${runId}::bigint, ${limitNanos?.toString() ?? null}::bigint,
      ${sql.param(steps.map((step) => step.number))}::integer[], ${sql.param(steps.map((step) => step.id))}::text[],
      ${sql.param(steps.map((step) => step.limitNanos.toString()))}::bigint[])`);
}
