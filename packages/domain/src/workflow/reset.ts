import type { StepRow } from "./engine/advance-question.ts";
import type { Graph } from "./definition.ts";
import { indexGraph, stepAt } from "./graph-index.ts";

/**
 * Numbers of the steps that run again when a run is taken up: those that did not complete, or one step; and everything
 * that hangs on them. A failed step that may fail stays as it is.
 */
export function stepsToReset(graph: Graph, rows: readonly StepRow[], fromStep: number | undefined): number[] {
  const { successors } = indexGraph(graph);
  const reached = new Map(rows.map((row) => [row.number, row]));
  const isBroken = (number: number) => {
    const row = reached.get(number);
    if (row === undefined || row.state === "completed") return false;
    if (row.state === "skipped") return row.error?.class !== "not_taken";
    return !(row.state === "failed" && stepAt(graph, number).mayFail === true);
  };
  const reset = new Set(fromStep === undefined ? [...reached.keys()].filter(isBroken) : [fromStep]);
  for (const number of reset) for (const next of successors[number] ?? []) reset.add(next);
  return [...reset].toSorted((a, b) => a - b);
}
