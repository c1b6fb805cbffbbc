import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { BudgetPeriod as PeriodWord } from "@drover/domain/budget";
import { formatDollars } from "@drover/domain/money";
import { type Budget, BudgetAction, BudgetPeriod, BudgetScope } from "@drover/proto/drover/budget";
import { scopeText } from "./limit-view.ts";
import { groupDigits } from "./progress.ts";
import type { Cell, Column } from "./table.ts";

export const budgetColumns: Column[] = [
  { heading: "BUDGET" },
  { heading: "USD", align: "right" },
  { heading: "PER" },
  { heading: "SPENT", align: "right" },
  { heading: "HELD", align: "right" },
  { heading: "LEFT", align: "right" },
  { heading: "OF", isFlexible: true },
  { heading: "ELSE" },
  { heading: "WAITING", align: "right" },
];

/** A budget for programs; amounts are dollars as texts, so that none is rounded. */
export function budgetJson(budget: Budget): Record<string, unknown> {
  const { rule, runId, step, heldNanos, spentNanos, periodStartedAt, waiting } = budget;
  return {
    name: rule?.name || null,
    scope: scopeWords[budget.scope],
    runId: runId || null,
    step: step || null,
    workflow: rule?.workflow || null,
    provider: rule?.provider || null,
    model: rule?.model || null,
    period: periodWord(budget),
    limitUsd: formatDollars(rule?.limitNanos ?? 0n),
    spentUsd: formatDollars(spentNanos),
    heldUsd: formatDollars(heldNanos),
    alertPercents: rule?.alertPercents ?? [],
    whenExceeded: rule?.whenExceeded === BudgetAction.WAIT ? "wait" : "fail",
    periodStartedAt: periodStartedAt === undefined ? null : timestampDate(periodStartedAt).toISOString(),
    waiting: Number(waiting),
  };
}

/** A budget as a row. */
export function budgetRow(budget: Budget): (Cell | string)[] {
  const { rule, runId, step, heldNanos, spentNanos, waiting } = budget;
  const limit = rule?.limitNanos ?? 0n;
  const left = limit - spentNanos - heldNanos;
  const name = rule?.name || [scopeWords[budget.scope], runId, step].filter(Boolean).join(" ");
  return [
    name,
    formatDollars(limit),
    periodWord(budget),
    formatDollars(spentNanos),
    formatDollars(heldNanos),
    {
      text: formatDollars(left),
      ...(left * 10n <= limit && { color: left <= 0n ? ("red" as const) : ("yellow" as const) }),
    },
    scopeText({ provider: rule?.provider ?? "", model: rule?.model ?? "", workflow: rule?.workflow ?? "" }),
    rule?.whenExceeded === BudgetAction.WAIT ? "wait" : "fail",
    groupDigits(waiting),
  ];
}

/** The number of a period's word. */
export function periodNumber(word: PeriodWord | undefined): BudgetPeriod {
  return { none: BudgetPeriod.UNSPECIFIED, day: BudgetPeriod.DAY, month: BudgetPeriod.MONTH }[word ?? "none"];
}

function periodWord({ rule }: Budget): PeriodWord {
  if (rule?.period === BudgetPeriod.DAY) return "day";
  return rule?.period === BudgetPeriod.MONTH ? "month" : "none";
}

const scopeWords: Record<BudgetScope, string> = {
  [BudgetScope.UNSPECIFIED]: "",
  [BudgetScope.NAMESPACE]: "namespace",
  [BudgetScope.WORKFLOW]: "workflow",
  [BudgetScope.RUN]: "run",
  [BudgetScope.STEP]: "step",
};
