import type { Graph, Step } from "./definition.ts";

/** A graph by the questions that an advance asks of it. */
export interface GraphIndex {
  numberOf: ReadonlyMap<string, number>;
  /** Numbers of the steps that need a step. */
  successors: readonly number[][];
  /** Steps that need nothing. */
  roots: readonly number[];
  /** Steps that nothing needs. */
  sinks: readonly number[];
}

/** The index of a graph; made once for each. */
export function indexGraph(graph: Graph): GraphIndex {
  const known = indexes.get(graph);
  if (known !== undefined) return known;
  const numberOf = new Map(graph.steps.map((step, number) => [step.id, number]));
  const successors: number[][] = graph.steps.map(() => []);
  for (const [number, step] of graph.steps.entries()) {
    const sources = new Set((step.needs ?? []).map((edge) => numberOf.get(edge.from)));
    for (const source of sources) if (source !== undefined) successors[source]?.push(number);
  }
  const index: GraphIndex = {
    numberOf,
    successors,
    roots: graph.steps.flatMap((step, number) => ((step.needs ?? []).length === 0 ? [number] : [])),
    sinks: successors.flatMap((list, number) => (list.length === 0 ? [number] : [])),
  };
  indexes.set(graph, index);
  return index;
}

/** The step of a number; numbers come from the graph itself. */
export function stepAt(graph: Graph, number: number): Step {
  const step = graph.steps[number];
  if (step === undefined) throw new RangeError(`a graph of ${graph.steps.length} steps has no step ${number}`);
  return step;
}

/** The part of a definition that a run is: the whole, or the body of a step, by the ids that lead to it. */
export function graphAt(definition: Graph, body: string | null): Graph | undefined {
  let graph: Graph = definition;
  for (const id of body === null ? [] : body.split("/")) {
    const work = graph.steps.find((step) => step.id === id)?.work;
    if (work?.kind !== "steps") return undefined;
    graph = work;
  }
  return graph;
}

const indexes = new WeakMap<Graph, GraphIndex>();
