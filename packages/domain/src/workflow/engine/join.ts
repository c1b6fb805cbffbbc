import type { StepRow } from "./advance-question.ts";
import type { Edge, Step } from "../definition.ts";
import { isFinalStep } from "../lifecycle.ts";

export type EdgeState = "open" | "taken" | "not_taken" | "broken";
export type DecidedEdge = Exclude<EdgeState, "open">;
export type JoinVerdict = "run" | "skip_not_taken" | "skip_broken";

/** Whether an edge leads on, by the row of the step that it comes from (null: not reached). */
export function edgeState(edge: Edge, source: Step, row: StepRow | null): EdgeState {
  if (row === null || !isFinalStep(row.state)) return "open";
  if (row.state === "completed" || (row.state === "failed" && source.mayFail === true)) {
    return edge.exit === undefined || row.exits?.includes(edge.exit) === true ? "taken" : "not_taken";
  }
  return row.state === "skipped" && row.error?.class === "not_taken" ? "not_taken" : "broken";
}

/**
 * What becomes of a step by the edges that lead to it, once all are decided: it is skipped where one is broken or none is
 * taken, and runs otherwise. Decided once: by whoever decides the last edge.
 */
export function decideJoin(edges: readonly DecidedEdge[]): JoinVerdict {
  if (edges.includes("broken")) return "skip_broken";
  return edges.length === 0 || edges.includes("taken") ? "run" : "skip_not_taken";
}
