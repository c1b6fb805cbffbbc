import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { BudgetRow, NewBudget } from "@drover/db/query/budget";
import type { ReportDimension, ReportRow } from "@drover/db/query/ledger";
import type { PriceRow } from "@drover/db/query/price";
import type { BudgetPeriod, BudgetScope } from "@drover/domain/budget";
import { formatRunId } from "@drover/domain/run-id";
import {
  type Budget,
  BudgetAction,
  BudgetPeriod as PeriodNumber,
  type BudgetRule,
  BudgetSchema,
  BudgetScope as ScopeNumber,
  type CostSchema,
  type Price,
  PriceSchema,
} from "@drover/proto/drover/budget";

/** A named budget as it is asked for. */
export function budgetDraft(rule: BudgetRule): NewBudget {
  return {
    name: rule.name,
    scope: rule.workflow === "" ? "namespace" : "workflow",
    workflow: rule.workflow || undefined,
    provider: rule.provider || undefined,
    model: rule.model || undefined,
    period: periods.find(({ number }) => number === rule.period)?.name ?? "none",
    limitNanos: rule.limitNanos,
    alertPercents: rule.alertPercents,
    whenExceeded: rule.whenExceeded === BudgetAction.WAIT ? "wait" : "fail",
  };
}

/** A budget with what was spent of it. */
export function budgetMessage(row: BudgetRow): Budget {
  return create(BudgetSchema, {
    rule: {
      name: row.name ?? "",
      workflow: row.workflow ?? "",
      provider: row.provider ?? "",
      model: row.model ?? "",
      period: periods.find(({ name }) => name === row.period)?.number ?? PeriodNumber.UNSPECIFIED,
      limitNanos: BigInt(row.limit_nanos),
      alertPercents: row.alert_percents,
      whenExceeded: row.when_exceeded === "wait" ? BudgetAction.WAIT : BudgetAction.FAIL,
    },
    scope: scopes[row.scope],
    runId: row.run_id === null ? "" : formatRunId(row.run_id),
    step: row.step ?? "",
    heldNanos: BigInt(row.held_nanos),
    spentNanos: BigInt(row.spent_nanos),
    ...(row.period_started_at && { periodStartedAt: timestampFromDate(row.period_started_at) }),
    waiting: BigInt(row.waiting),
    updatedAt: timestampFromDate(row.updated_at),
  });
}

type CostRow = Omit<ReportRow, "keys">;
type CostInit = MessageInitShape<typeof CostSchema>;

/** Sums of the ledger; zeros where there are none. */
export function costMessage(row: CostRow | undefined): CostInit {
  return {
    calls: BigInt(row?.calls ?? 0),
    inputTokens: BigInt(row?.input_tokens ?? 0),
    outputTokens: BigInt(row?.output_tokens ?? 0),
    costNanos: BigInt(row?.cost_nanos ?? 0),
    gpuMs: BigInt(row?.gpu_ms ?? 0),
  };
}

/** The sum of several rows. */
export function sumCosts(rows: readonly CostRow[]): CostInit {
  const sum = (column: keyof CostRow) => rows.reduce((total, row) => total + BigInt(row[column]), 0n);
  return {
    calls: sum("calls"),
    inputTokens: sum("input_tokens"),
    outputTokens: sum("output_tokens"),
    costNanos: sum("cost_nanos"),
    gpuMs: sum("gpu_ms"),
  };
}

/** The keys of a row of a report: runs as their ids, nothing as an empty text. */
export function reportKeys(by: readonly ReportDimension[], keys: readonly (string | null)[]): string[] {
  return keys.map((key, index) => (key === null ? "" : by[index] === "run" ? formatRunId(key) : key));
}

/** A price of the history. */
export function priceMessage(row: PriceRow): Price {
  return create(PriceSchema, {
    provider: row.provider,
    model: row.model,
    inputNanos: BigInt(row.input_nanos_per_million),
    outputNanos: BigInt(row.output_nanos_per_million),
    effectiveFrom: timestampFromDate(row.effective_from),
    actor: row.actor,
  });
}

const scopes: Record<BudgetScope, ScopeNumber> = {
  namespace: ScopeNumber.NAMESPACE,
  workflow: ScopeNumber.WORKFLOW,
  run: ScopeNumber.RUN,
  step: ScopeNumber.STEP,
};

const periods: readonly { name: BudgetPeriod; number: PeriodNumber }[] = [
  { name: "none", number: PeriodNumber.UNSPECIFIED },
  { name: "day", number: PeriodNumber.DAY },
  { name: "month", number: PeriodNumber.MONTH },
];
