import type { Metrics } from "@drover/daemon/metric";
import type { Executor } from "@drover/db/client";
import { listNamedBudgets } from "@drover/db/query/budget";
import { callsHeldBack, spendingToday } from "@drover/db/query/ledger";
import { listLimits } from "@drover/db/query/limit";
import type { metrics } from "../metric.ts";

type Handles = Metrics<typeof metrics>["handles"];

// By the metrics they belong to: when the day was last summed up.
const summedAt = new WeakMap<Handles, number>();
const sumEveryMs = 60_000;

/** Sets how far limits and budgets are used, what waits for them, and, every minute, what this day has cost. */
export async function collectSpending(db: Executor, handles: Handles, nowMs: number): Promise<void> {
  const [limits, budgets, held] = await Promise.all([listLimits(db), listNamedBudgets(db), callsHeldBack(db)]);
  handles.limitUse.reset();
  for (const { name, held: inFlight, used, allowance } of limits) {
    handles.limitUse.set({ limit: name }, share(Number(inFlight) + Number(used), Number(allowance)));
  }
  handles.budgetUse.reset();
  for (const { name, namespace, spent_nanos, limit_nanos } of budgets) {
    handles.budgetUse.set({ budget: name, namespace }, share(Number(spent_nanos), Number(limit_nanos)));
  }
  handles.callsWaiting.set({ reason: "rate_limited" }, held.limited);
  handles.callsWaiting.set({ reason: "blocked" }, held.blocked);

  // A sum over the day's ledger, which grows until midnight.
  if (nowMs - (summedAt.get(handles) ?? -Infinity) < sumEveryMs) return;
  summedAt.set(handles, nowMs);
  const today = await spendingToday(db);
  handles.costToday.set(Number(today.cost_nanos) / 1e9);
  handles.callsToday.set(Number(today.calls));
  handles.tokensToday.set(Number(today.tokens));
  handles.gpuSecondsToday.set(Number(today.gpu_ms) / 1000);
}

/** How much of an allowance is used; an allowance of nothing is used up. */
function share(used: number, allowance: number): number {
  return allowance === 0 ? 1 : used / allowance;
}
