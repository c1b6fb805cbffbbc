import type { Json } from "@drover/domain/json";
import type { Graph } from "@drover/domain/workflow/definition";
import type { Names } from "../check/draft.ts";
import type { Placed } from "@drover/document/shape/shape";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";

/** What is known while the steps of a graph are compiled. */
export interface GraphFacts {
  report: Report;
  names: Names;
  /** Steps so far, in all graphs of the workflow. */
  total: { steps: number };
}

/** The same, with the way to compile the body of a step. */
export interface BodyFacts extends GraphFacts {
  compileBody(body: RawGraph, names: Names): Graph;
}

export interface RawGraph {
  steps: Value;
  output?: Placed<Json>;
  maxParallel?: number;
}
