import type { Graph } from "./definition.ts";

/** The budgets of a graph's steps, by number; undefined where no step has one. */
export function stepBudgets(graph: Graph): { number: number; id: string; nanos: number }[] | undefined {
  const budgets = graph.steps.flatMap(({ id, budgetNanos }, number) =>
    budgetNanos === undefined ? [] : [{ number, id, nanos: budgetNanos }],
  );
  return budgets.length > 0 ? budgets : undefined;
}
