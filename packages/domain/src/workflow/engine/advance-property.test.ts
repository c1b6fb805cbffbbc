import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Definition } from "../definition.ts";
import { runLifecycle, stepLifecycle } from "../lifecycle.ts";
import { createWorld, statesOf, type World, type WorldOptions } from "./testing-engine.ts";
import type { SimRun, SimTask } from "./testing-store.ts";
import { anyDefinition } from "./testing-graph.ts";
import { expectRun, type Oracle } from "./testing-reference.ts";

/** Numbers from 0 below a bound, the same ones for the same seed. */
function draws(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** Fails one task in so many, by its place alone, so that any order of events meets the same failures. */
function oracleOf(seed: number, oneIn: number): Oracle {
  return (path, step, item, round) => {
    const text = `${path}|${step}|${item}|${round}`;
    const hash = [...text].reduce((sum, char) => Math.imul(sum ^ (char.codePointAt(0) ?? 0), 0x01000193), seed | 0);
    return oneIn > 0 && draws(hash)(oneIn) === 0;
  };
}

/** Ends tasks and advances runs in a random order until nothing is left to do. */
function play(world: World, oracle: Oracle, draw: (bound: number) => number, patience = Infinity): void {
  for (let moves = 0; moves < 20_000; moves++) {
    if (moves === patience) return;
    const open = world.open();
    const due = world.due();
    if (open.length + due.length === 0) {
      if (![...world.runs.values()].some((run) => run.end === undefined) || !world.passTime()) return;
      continue;
    }
    const place = draw(open.length + due.length);
    const task = open[place];
    const run = due[place - open.length];
    if (task !== undefined) world.endTask(task, endOf(task, oracle, draw));
    else if (run !== undefined) world.advance(run, 1 + draw(4));
  }
  throw new Error("it goes on forever");
}

function endOf(task: SimTask, oracle: Oracle, draw: (bound: number) => number) {
  if (task.isCancelRequested && draw(3) > 0) return { state: "cancelled" as const };
  const step = task.run.graph.steps[task.number]?.id ?? "";
  if (!oracle(task.run.path, step, task.item, task.round)) return { state: "completed" as const, result: { step } };
  return { state: "failed" as const, error: { class: "error", message: `Task of ${step} failed.` } };
}

interface Story {
  definition: Definition;
  seed: number;
  oneIn: number;
}

function anyStory(options: { hasConditions: boolean; mayStop: boolean }): fc.Arbitrary<Story> {
  return fc.record({
    definition: anyDefinition({ maxSteps: 30, ...options }),
    seed: fc.integer(),
    oneIn: fc.constantFrom(0, 3, 6, 20),
  });
}

function tell({ definition, seed, oneIn }: Story, order: number, options: Partial<WorldOptions> = {}) {
  const world = createWorld({ definition, heldSteps: 2, heldPerStep: 2, ...options });
  const run = world.start();
  play(world, oracleOf(seed, oneIn), draws(order));
  return { world, run };
}

/** Everything of a run and its nested ones that does not depend on names of tasks. */
function tale(world: World): object[] {
  return [...world.runs.values()]
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map((run) => ({
      path: run.path,
      state: run.state,
      steps: statesOf(run),
      counts: run.counts,
      output: outputOf(run),
    }));
}

function outputOf(run: SimRun): unknown {
  return JSON.parse(JSON.stringify(run.end?.output ?? null).replaceAll(/"\d+"/g, '"id"'));
}

const calm = { hasConditions: true, mayStop: false };
const wild = { hasConditions: true, mayStop: true };

describe("advance of random graphs", () => {
  it("skips for a failed dependency exactly where one failed, whatever the order of events", () => {
    fc.assert(
      fc.property(anyStory({ hasConditions: false, mayStop: false }), fc.integer(), (story, order) => {
        const { run } = tell(story, order);
        const expected = expectRun(story.definition, "", oracleOf(story.seed, story.oneIn));
        expect(statesOf(run)).toEqual(expected.states);
        expect(Object.values(expected.states)).not.toContain("skipped not_taken");
      }),
      { numRuns: 300 },
    );
  });

  it("ends every step and the run as a second implementation says, conditions and ways out included", () => {
    fc.assert(
      fc.property(anyStory(calm), fc.integer(), (story, order) => {
        const { run } = tell(story, order);
        const share = story.definition.failure?.maxFailedShare;
        const expected = expectRun(story.definition, "", oracleOf(story.seed, story.oneIn), share);
        expect({ states: statesOf(run), state: run.state }).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("ends the same however the same events are ordered, batched and read", () => {
    fc.assert(
      fc.property(anyStory(calm), fc.integer(), fc.integer(), (story, one, other) => {
        const first = tale(tell(story, one).world);
        expect(tale(tell(story, other, { isGenerous: true, heldSteps: 64, heldPerStep: 64 }).world)).toEqual(first);
      }),
      { numRuns: 200 },
    );
  });

  it("ends every run that stops at a failure, as failed", () => {
    fc.assert(
      fc.property(anyStory(wild), fc.integer(), (story, order) => {
        const { run } = tell(story, order);
        expect(run.end).toBeDefined();
        if (run.stopping === "failed") expect(run.state).toBe("failed");
        const { total, completed, failed, skipped, cancelled } = run.counts;
        expect(completed + failed + skipped + cancelled).toBe(total);
      }),
      { numRuns: 300 },
    );
  });

  it("ends a cancelled run as soon as its units have ended, and starts nothing after", () => {
    fc.assert(
      fc.property(anyStory(wild), fc.integer(), fc.nat(40), (story, order, patience) => {
        const { world, run } = halfway(story, order, patience);
        if (run.end !== undefined) return;
        world.signal(run, { kind: "cancel", reason: "Enough." });
        const started = stopNow(world);
        play(world, oracleOf(story.seed, story.oneIn), draws(order + 1));
        expect(world.tasks.size).toBe(started);
        expect(world.open()).toEqual([]);
        if (run.stopping === "cancelled")
          expect(run.end).toMatchObject({ state: "cancelled", error: { message: "Enough." } });
      }),
      { numRuns: 300 },
    );
  });

  it("ends a run that is over its deadline as failed, and starts nothing after", () => {
    fc.assert(
      fc.property(anyStory(calm), fc.integer(), fc.nat(40), (story, order, patience) => {
        const { world, run } = halfway(story, order, patience, 60_000);
        if (run.end !== undefined) return;
        world.nowMs += 60_000;
        const started = stopNow(world);
        play(world, oracleOf(story.seed, story.oneIn), draws(order + 1));
        expect(world.tasks.size).toBe(started);
        expect(run.end).toMatchObject({ state: "failed", error: { class: "deadline_exceeded" } });
      }),
      { numRuns: 200 },
    );
  });

  it("takes up a run that has ended: what completed stays, everything else runs, and it ends again", () => {
    fc.assert(
      fc.property(anyStory(wild), fc.integer(), fc.nat(40), (story, order, patience) => {
        const { world, run } = halfway(story, order, patience);
        world.signal(run, { kind: "cancel", reason: "Enough." });
        play(world, oracleOf(story.seed, story.oneIn), draws(order + 1));
        const before = world.tasks.size;
        const kept = stepsAs(run, "completed");
        world.resume(run);
        play(world, () => false, draws(order + 2));
        expect(run.end).toBeDefined();
        const again = [...world.tasks.values()].slice(before).filter((task) => task.run === run);
        expect(again.filter((task) => kept.includes(task.number))).toEqual([]);
        if (run.stopping === undefined) expect(Object.values(statesOf(run))).not.toContain("not_reached");
      }),
      { numRuns: 300 },
    );
  });

  it("moves steps and runs in every way of their lifecycles but the rare ones, and waiting and resuming", () => {
    // A world throws at a move that is not in the tables; this is what it sees of them.
    const seen = new Set<string>();
    for (const [order, story] of fc.sample(anyStory(wild), { numRuns: 400, seed: 1 }).entries()) {
      const { world, run } = halfway(story, order, order % 2 === 0 ? order / 8 : Infinity);
      world.signal(run, { kind: "cancel", reason: "Enough." });
      play(world, oracleOf(story.seed, story.oneIn), draws(order + 1));
      for (const move of world.moves) seen.add(move);
    }
    const all = Object.entries({ run: runLifecycle, step: stepLifecycle }).flatMap(([what, { transitions }]) =>
      transitions.map(({ from, to }) => `${what} ${from} ${to}`),
    );
    const isElsewhere = (move: string) =>
      /waiting|^run (\w+) running|^run pending partially|^step pending (completed|failed)|^step running pending/.test(
        move,
      );
    expect(all.filter((move) => !seen.has(move) && !isElsewhere(move))).toEqual([]);
    expect(seen.size).toBeGreaterThan(15);
  });
});

/** A story up to some point, with everything advanced that is due then. */
function halfway({ definition, seed, oneIn }: Story, order: number, patience: number, deadlineMs?: number) {
  const world = createWorld({ definition, heldSteps: 2, heldPerStep: 2 });
  const run = world.start({}, deadlineMs === undefined ? {} : { deadlineMs: world.nowMs + deadlineMs });
  const draw = draws(order);
  play(world, oracleOf(seed, oneIn), draw, patience);
  return { world, run };
}

/** Numbers of the steps in a state that hang on none but such. */
function stepsAs(run: SimRun, state: string): number[] {
  const states = statesOf(run);
  const isKept = (id: string): boolean => {
    const step = run.graph.steps.find((one) => one.id === id);
    return states[id] === state && (step?.needs ?? []).every((edge) => isKept(edge.from));
  };
  return run.graph.steps.flatMap(({ id }, number) => (isKept(id) ? [number] : []));
}

/** Lets the stop reach the nested runs; how many tasks there are then. */
function stopNow(world: World): number {
  world.settle();
  return world.tasks.size;
}
