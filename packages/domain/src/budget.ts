export const budgetScopes = ["step", "run", "workflow", "namespace"] as const;
export type BudgetScope = (typeof budgetScopes)[number];

export const budgetPeriods = ["none", "day", "month"] as const;
export type BudgetPeriod = (typeof budgetPeriods)[number];

/** `fail` ends a call that does not fit; `wait` holds it back until the next period. */
export const budgetActions = ["fail", "wait"] as const;
export type BudgetAction = (typeof budgetActions)[number];

/** Spans of time that reports are asked for, in UTC. */
export const reportPeriods = ["today", "yesterday", "last_7_days", "last_30_days", "this_month"] as const;
export type ReportPeriod = (typeof reportPeriods)[number];

/** Where a period of a budget begins; undefined where it has none. The twin of `drover.period_start`. */
export function periodStart(period: BudgetPeriod, at: Date): Date | undefined {
  if (period === "none") return undefined;
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), period === "day" ? at.getUTCDate() : 1));
}

/** Where a period of a budget ends; the twin of `drover.period_end`. */
export function periodEnd(period: BudgetPeriod, at: Date): Date | undefined {
  if (period === "none") return undefined;
  return period === "day"
    ? new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 1))
    : new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1));
}

/** The beginning and the end of a span; both `last_` ones include today. */
export function reportSpan(period: ReportPeriod, now: Date): { from: Date; to: Date } {
  const day = (offset: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + offset));
  switch (period) {
    case "today":
      return { from: day(0), to: day(1) };
    case "yesterday":
      return { from: day(-1), to: day(0) };
    case "last_7_days":
      return { from: day(-6), to: day(1) };
    case "last_30_days":
      return { from: day(-29), to: day(1) };
    case "this_month":
      return { from: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)), to: day(1) };
  }
}
