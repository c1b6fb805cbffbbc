import type { Graph, Step } from "../definition.ts";

/** Whether a task fails, by where it is in the tree of runs, its item and its round. */
export type Oracle = (path: string, step: string, item: number, round: number) => boolean;

export interface Expectation {
  states: Record<string, string>;
  state: "completed" | "partially_completed" | "failed";
}

/**
 * What must become of a run that nothing stops, worked out a second way: from the failures forward, by sets, without
 * edges, joins, counters or an order of events.
 */
export function expectRun(graph: Graph, path: string, oracle: Oracle, maxFailedShare?: number): Expectation {
  const failed = new Set<string>();
  const broken = new Set<string>();
  const notTaken = new Set<string>();
  const completed = new Set<string>();
  const exitsOf = new Map<string, Set<number>>();
  const byId = new Map(graph.steps.map((step) => [step.id, step]));
  for (const step of graph.steps) {
    const needs = step.needs ?? [];
    const spoils = (id: string) => broken.has(id) || (failed.has(id) && byId.get(id)?.mayFail !== true);
    const leadsOn = needs.some(
      ({ from, exit }) =>
        (completed.has(from) || failed.has(from)) && (exit === undefined || exitsOf.get(from)?.has(exit) === true),
    );
    if (needs.some(({ from }) => spoils(from))) broken.add(step.id);
    else if ((needs.length > 0 && !leadsOn) || step.when === "false") notTaken.add(step.id);
    else if (fails(step, path, oracle)) failed.add(step.id);
    else {
      completed.add(step.id);
      exitsOf.set(step.id, takenExits(step));
    }
  }
  const hard = [...failed].filter((id) => byId.get(id)?.mayFail !== true).length;
  const isLost = completed.size === 0 || hard / graph.steps.length > (maxFailedShare ?? Infinity);
  const word = (id: string) => {
    if (broken.has(id)) return "skipped dependency_failed";
    if (notTaken.has(id)) return "skipped not_taken";
    return failed.has(id) ? "failed" : "completed";
  };
  return {
    states: Object.fromEntries(graph.steps.map(({ id }) => [id, word(id)])),
    state: hard === 0 ? "completed" : isLost ? "failed" : "partially_completed",
  };
}

function fails(step: Step, path: string, oracle: Oracle): boolean {
  const { work, each, repeat } = step;
  const unit = (item: number, round: number) => {
    if (work.kind === "value") return false;
    if (work.kind === "task") return oracle(path, step.id, item, round);
    return (
      work.kind === "steps" && expectRun(work, `${path}${step.id}[${item},${round}]/`, oracle).state !== "completed"
    );
  };
  if (each !== undefined) return Array.isArray(each.items) && each.items.some((_, item) => unit(item, 0));
  if (repeat === undefined) return unit(-1, 0);
  const until = Number(repeat.until.split(">=")[1]);
  const rounds = Math.min(until + 1, repeat.maxIterations);
  if (Array.from({ length: rounds }, (_, round) => unit(-1, round)).includes(true)) return true;
  return repeat.atBound === "fail" && until >= repeat.maxIterations;
}

/** Of each group the first true exit, or the one without a condition. */
function takenExits({ exits = [] }: Step): Set<number> {
  const taken = new Set<number>();
  for (const group of new Set(exits.map((exit) => exit.group))) {
    const places = [...exits.keys()].filter((place) => exits[place]?.group === group);
    const place =
      places.find((one) => exits[one]?.when === "true") ?? places.find((one) => exits[one]?.when === undefined);
    if (place !== undefined) taken.add(place);
  }
  return taken;
}
