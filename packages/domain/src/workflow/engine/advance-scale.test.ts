import { describe, expect, it } from "vitest";
import type { Graph } from "../definition.ts";
import type { World } from "./testing-engine.ts";
import { begin, stepWith, task, value } from "./testing-play.ts";

const size = 10_000;

/** Ends all tasks in an order, so many before each advance; the run is advanced until nothing is left to do. */
function drive(
  world: World,
  { batch = 1, order = (open: number) => open }: { batch?: number; order?: (open: number) => number } = {},
) {
  for (let open = world.open(); open.length > 0; open = world.open()) {
    const ordered = open.map((one, place) => ({ one, rank: order(place) })).toSorted((a, b) => a.rank - b.rank);
    for (const [place, { one }] of ordered.entries()) {
      world.endTask(one, { state: "completed", result: one.number });
      if (place % batch === batch - 1) world.settle();
    }
    world.settle();
  }
}

/** What a run costs: how often the engine is asked, what is read for it and what it looks up in that, by step. */
function costOf(graph: Graph, how: Parameters<typeof drive>[1] = {}) {
  const { world, run } = begin(graph, { isChecked: false });
  drive(world, how);
  expect(run.end?.state).toBe("completed");
  const { advances, questions, rows, lookups } = world.reads;
  const per = (count: number) => count / size;
  return { advances: per(advances), questions: per(questions), rows: per(rows), lookups: per(lookups) };
}

const numbers = Array.from({ length: size }, (_, place) => place);
const fan: Graph = {
  steps: [
    value("start", 1),
    ...numbers.map((place) => task(`t${place}`, ["start"])),
    value(
      "end",
      1,
      numbers.map((place) => `t${place}`),
    ),
  ],
};

describe("a run of 10,000 steps", () => {
  it("in a chain reads a bounded number of rows for each", () => {
    const chain = { steps: numbers.map((place) => task(`t${place}`, place === 0 ? [] : [`t${place - 1}`])) };
    const { advances, questions, rows } = costOf(chain);
    expect(advances).toBeLessThan(1.1);
    expect(questions).toBeLessThan(1.1);
    expect(rows).toBeLessThan(0.1);
  });

  it("in a chain of values is one advance", () => {
    const chain = {
      steps: numbers.map((place) =>
        value(`v${place}`, place === 0 ? 0 : `\${steps.v${place - 1}.output}`, place === 0 ? [] : [`v${place - 1}`]),
      ),
    };
    const { world, run } = begin(chain, { isChecked: false });
    expect(run.counts.completed).toBe(size);
    expect(run.end?.output).toEqual({ v9999: 0 });
    expect(world.reads).toMatchObject({ advances: 1, questions: 1 });
  });

  it.each([
    ["first to last", (place: number) => place],
    ["last to first", (place: number) => -place],
    ["at random", (place: number) => Math.imul(place, 2_654_435_761) >>> 0],
  ])("side by side, ending %s one by one, reads few rows of its join for each", (_, order) => {
    const { questions, rows, lookups } = costOf(fan, { order });
    expect(questions).toBeLessThan(5);
    expect(rows).toBeLessThan(30);
    expect(lookups).toBeLessThan(60);
  });

  it("side by side, ending in batches, reads less", () => {
    expect(costOf(fan, { batch: 200 }).lookups).toBeLessThan(5);
  });

  it("side by side under a limit of 50 holds and begins each once", () => {
    const { advances, rows } = costOf({ ...fan, maxParallel: 50 }, { batch: 25 });
    expect(advances).toBeLessThan(0.1);
    expect(rows).toBeLessThan(5);
  });

  it.each([[undefined], [100]])("as items of one map with concurrency %s counts each once", (concurrency) => {
    const { world, run } = begin(
      {
        steps: [
          task("map", [], { each: { items: "${input}", ...(concurrency !== undefined && { concurrency }) } }),
          value("after", "${length(steps.map.output)}", ["map"]),
        ],
      },
      { input: numbers, isChecked: false },
    );
    drive(world, { batch: 10 });
    expect(run.end).toMatchObject({ state: "completed", output: { after: size } });
    expect(world.reads.questions / size).toBeLessThan(0.5);
    expect(world.reads.rows / size).toBeLessThan(12);
  });
});

describe("a wide run of waits", () => {
  it("ends all that are due in one advance", () => {
    const steps = numbers.map((place) => stepWith(`w${place}`, [], { kind: "wait", seconds: 10 }));
    const { world, run } = begin({ steps }, { isChecked: false });
    world.passTime();
    world.settle();
    expect(run.end?.state).toBe("completed");
    expect(world.reads).toMatchObject({ advances: 2, questions: 3 });
  });
});
