import type { Json } from "../../json.ts";
import type { Definition, Graph, Step, Work } from "../definition.ts";
import { rowKey } from "./sheet.ts";
import { createWorld, type World, type WorldOptions } from "./testing-engine.ts";
import type { SimRow, SimRun, SimTask, TaskEnd } from "./testing-store.ts";

/** A world whose run has begun. */
export function begin(
  graph: Graph & Partial<Definition>,
  { input = {}, ...options }: Partial<WorldOptions> & { input?: Json } = {},
): { world: World; run: SimRun } {
  const world = createWorld({ definition: { name: "story", ...graph }, ...options });
  const run = world.start(input);
  world.settle();
  return { world, run };
}

/** Ends open tasks, the oldest first, until there are none; the run is advanced after each. */
export function finish(world: World, endOf: (one: SimTask) => TaskEnd | Json = (one) => idOf(one)): void {
  for (let [open] = world.open(); open !== undefined; [open] = world.open()) {
    const end = endOf(open);
    world.endTask(open, isEnd(end) ? end : { state: "completed", result: end });
    world.settle();
  }
}

/** A task's end in failure. */
export function failure(message = "It broke."): TaskEnd {
  return { state: "failed", error: { class: "error", message } };
}

/** The id of the step that a task works on. */
export function idOf(open: SimTask): string {
  return open.run.graph.steps[open.number]?.id ?? "";
}

/** The row of a step, or of one of its items. */
export function rowOf(run: SimRun, id: string, item = -1): SimRow {
  const number = run.graph.steps.findIndex((step) => step.id === id);
  const row = run.rows.get(rowKey(number, item));
  if (row === undefined) throw new Error(`step ${id} has no row ${item}`);
  return row;
}

/** A step that runs a task. */
export function task(id: string, needs: string[] = [], rest: Partial<Step> = {}): Step {
  return stepWith(id, needs, { kind: "task", type: id }, rest);
}

/** A step that gives a value. */
export function value(id: string, output: Json, needs: string[] = [], rest: Partial<Step> = {}): Step {
  return stepWith(id, needs, { kind: "value", output }, rest);
}

/** A step of any work. */
export function stepWith(id: string, needs: string[], work: Work, rest: Partial<Step> = {}): Step {
  return { id, needs: needs.map((from) => ({ from })), work, ...rest };
}

function isEnd(end: TaskEnd | Json): end is TaskEnd {
  return end !== null && typeof end === "object" && !Array.isArray(end) && "state" in end;
}
