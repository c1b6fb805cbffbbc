import { describe, expect, it } from "vitest";
import { statesOf } from "./testing-engine.ts";
import { begin, failure, finish, rowOf, stepWith, task, value } from "./testing-play.ts";

describe("a map", () => {
  it("gives the outputs of its items in their order, whatever the order of their ends", () => {
    const { world, run } = begin(
      {
        steps: [
          task("map", [], {
            each: { items: "${input.pages}", as: "page" },
            work: { kind: "task", type: "read", payload: { page: "${page}", index: "${index}", same: "${item}" } },
          }),
          value("after", "${steps.map.output}", ["map"]),
        ],
      },
      { input: { pages: ["x", "y", "z"] } },
    );
    expect(world.open().map(({ payload }) => payload)).toEqual([
      { page: "x", index: 0, same: "x" },
      { page: "y", index: 1, same: "y" },
      { page: "z", index: 2, same: "z" },
    ]);
    for (const open of world.open().toReversed()) {
      world.endTask(open, { state: "completed", result: `read ${String(open.item)}` });
      world.settle();
    }
    expect(run.end).toMatchObject({ state: "completed", output: { after: ["read 0", "read 1", "read 2"] } });
  });

  it("hands its output on in the advance in which its last items end, and in which they all begin and end", () => {
    const items = [1, 2, 3];
    const tasks = begin({
      steps: [task("map", [], { each: { items } }), value("after", "${steps.map.output}", ["map"])],
    });
    for (const open of tasks.world.open()) tasks.world.endTask(open, { state: "completed", result: open.item });
    tasks.world.settle();
    expect(tasks.run.end?.output).toEqual({ after: [0, 1, 2] });

    const values = begin({
      steps: [
        value("map", { doubled: ["${item}", "${item}"] }, [], {
          each: { items },
          exits: [{ when: "length(output) == 3", group: 0 }],
        }),
        { ...value("after", "${steps.map.output[2].doubled}"), needs: [{ from: "map", exit: 0 }] },
      ],
    });
    expect(values.run.end?.output).toEqual({ after: [3, 3] });
    expect(values.world.reads.advances).toBe(1);
  });

  it("of no items completes with an empty list", () => {
    const { run } = begin(
      {
        steps: [task("map", [], { each: { items: "${input.none}" } }), value("after", "${steps.map.output}", ["map"])],
      },
      { input: { none: [] } },
    );
    expect(run.end?.output).toEqual({ after: [] });
  });

  it("runs no more items at once than it may, and all of them", () => {
    const { world, run } = begin({ steps: [task("map", [], { each: { items: [..."abcdefg"], concurrency: 2 } })] });
    expect(world.open().map(({ item }) => item)).toEqual([0, 1]);
    finish(world, (open) => open.item);
    expect(run.end?.output).toEqual({ map: [0, 1, 2, 3, 4, 5, 6] });
  });

  it("ends all its items before it fails for those that failed", () => {
    const { world, run } = begin({
      steps: [task("map", [], { each: { items: [0, 1, 2, 3] } }), task("after", ["map"])],
    });
    finish(world, (open) => (open.item % 2 === 1 ? failure(`Page ${open.item} is blank.`) : "fine"));
    expect(rowOf(run, "map").error).toEqual({
      class: "items_failed",
      message: "2 of 4 items failed, the last one with: Page 3 is blank.",
    });
    expect([0, 1, 2, 3].map((item) => rowOf(run, "map", item).state)).toEqual([
      "completed",
      "failed",
      "completed",
      "failed",
    ]);
    expect(statesOf(run)).toEqual({ map: "failed", after: "skipped dependency_failed" });
  });

  it("fails with a readable message over what is no list", () => {
    const { run } = begin({ steps: [task("map", [], { each: { items: "${input}" } })] }, { input: { a: 1 } });
    expect(rowOf(run, "map").error).toEqual({
      class: "expression_failed",
      message: 'Expected a list of items to run for each, got {"a":1}.',
    });
  });

  it("runs a body for every item, with the item as its input", () => {
    const { run } = begin({
      steps: [
        stepWith(
          "map",
          [],
          { kind: "steps", steps: [value("twice", ["${input}", "${input}"])], output: "${steps.twice.output}" },
          {
            each: { items: [1, 2] },
          },
        ),
      ],
    });
    expect(run.end?.output).toEqual({
      map: [
        [1, 1],
        [2, 2],
      ],
    });
  });
});

describe("a loop", () => {
  it("hands every round the output of the one before, until its condition holds", () => {
    const { world, run } = begin({
      steps: [
        task("improve", [], {
          work: { kind: "task", type: "x", payload: { before: "${previous}", round: "${iteration}" } },
          repeat: { until: "output.score >= 3", maxIterations: 10, atBound: "fail" },
        }),
        value("after", "${steps.improve.output.score}", ["improve"]),
      ],
    });
    const payloads: unknown[] = [];
    finish(world, (open) => {
      payloads.push(open.payload);
      return { score: payloads.length };
    });
    expect(payloads).toEqual([
      { before: null, round: 0 },
      { before: { score: 1 }, round: 1 },
      { before: { score: 2 }, round: 2 },
    ]);
    expect(run.end).toMatchObject({ state: "completed", output: { after: 3 } });
    expect([0, 1, 2].map((round) => rowOf(run, "improve", round).state)).toEqual([
      "completed",
      "completed",
      "completed",
    ]);
  });

  it("writes its fields after every round, once each, for the condition and the next round to read", () => {
    const { world, run } = begin({
      state: { notes: { merge: "append", default: [] }, isDone: { merge: "replace", default: false } },
      steps: [
        task("think", [], {
          work: { kind: "task", type: "x", payload: "${state.notes}" },
          writes: { notes: "${output.note}", isDone: "${output.done}" },
          repeat: { until: "state.isDone", maxIterations: 5, atBound: "fail" },
        }),
        value("after", "${state.notes}", ["think"]),
      ],
    });
    const payloads: unknown[] = [];
    finish(world, (open) => {
      payloads.push(open.payload);
      return { note: `n${payloads.length}`, done: payloads.length === 3 };
    });
    expect(payloads).toEqual([[], ["n1"], ["n1", "n2"]]);
    expect(run.end).toMatchObject({ state: "completed", output: { after: ["n1", "n2", "n3"] } });
  });

  it("stops at its bound of 3, and fails or completes there as it says", () => {
    for (const [atBound, state] of [
      ["fail", "failed"],
      ["complete", "completed"],
    ] as const) {
      const { world, run } = begin({
        steps: [task("again", [], { repeat: { until: "output == 'never'", maxIterations: 3, atBound } })],
      });
      finish(world);
      expect(world.tasks.size).toBe(3);
      expect(run.end?.state).toBe(state);
      if (atBound === "fail") {
        expect(rowOf(run, "again").error).toEqual({
          class: "loop_bound_reached",
          message: "Step \"again\" reached its bound of 3 rounds and `output == 'never'` is still not true.",
        });
      }
    }
  });

  it("that needs no task lets others have their turn, and still ends", () => {
    const { world, run } = begin({
      steps: [
        value("count", "${iteration}", [], {
          repeat: { until: "output == 2500", maxIterations: 1e9, atBound: "fail" },
        }),
        task("beside"),
      ],
      maxParallel: 1,
    });
    expect(run.counts).toMatchObject({ running: 1, held: 1 });
    finish(world);
    expect(run.end?.output).toEqual({ count: 2500, beside: "beside" });
    const alone = begin({
      steps: [
        value("count", "${iteration}", [], {
          repeat: { until: "output == 2500", maxIterations: 1e9, atBound: "fail" },
        }),
      ],
    });
    expect(alone.run.end?.output).toEqual({ count: 2500 });
    expect(alone.world.reads.advances).toBe(3);
  });

  it("runs its body as a nested run every round", () => {
    const { world, run } = begin({
      steps: [
        stepWith(
          "loop",
          [],
          { kind: "steps", input: "${iteration}", steps: [task("inner")], output: "${input}" },
          {
            repeat: { until: "output == 2", maxIterations: 5, atBound: "fail" },
          },
        ),
      ],
    });
    finish(world);
    expect(run.end?.output).toEqual({ loop: 2 });
    expect([...world.runs.values()].map(({ path }) => path)).toEqual(["", "loop[-1,0]/", "loop[-1,1]/", "loop[-1,2]/"]);
  });
});

describe("a nested run", () => {
  it("fails its step with its own error", () => {
    const { world, run } = begin(
      {
        steps: [stepWith("child", [], { kind: "workflow", name: "other" }), task("after", ["child"])],
      },
      { workflows: { other: { name: "other", steps: [task("inner")] } } },
    );
    finish(world, () => failure());
    expect(rowOf(run, "child").error).toEqual({ class: "step_failed", message: "1 of 1 steps failed." });
    expect(run.end?.state).toBe("failed");
  });

  it("that was cancelled fails its step while the run goes on", () => {
    const { world, run } = begin({
      steps: [stepWith("child", [], { kind: "steps", steps: [task("inner")] }), task("b")],
    });
    const child = [...world.runs.values()][1];
    if (child === undefined) throw new Error("a nested run is expected");
    world.signal(child, { kind: "cancel", reason: "Wrong one." });
    finish(world, (open) => (open.run === child ? { state: "cancelled" } : 1));
    expect(rowOf(run, "child")).toMatchObject({
      state: "failed",
      error: { class: "cancelled", message: "Wrong one." },
    });
    expect(run.end?.state).toBe("partially_completed");
  });

  it("of a workflow that starts itself ends at 16 levels", () => {
    const steps = [stepWith("self", [], { kind: "workflow" as const, name: "story" })];
    const { world, run } = begin({ steps }, { workflows: { story: { name: "story", steps } } });
    expect(world.runs.size).toBe(17);
    expect(run.end?.state).toBe("failed");
    expect([...world.runs.values()].at(-1)?.rows.get("0/-1")?.error).toEqual({
      class: "too_deep",
      message: "Expected at most 16 levels of nested runs; does it start itself?",
    });
  });

  it("of a workflow that does not exist is refused", () => {
    const { run } = begin({ steps: [stepWith("child", [], { kind: "workflow", name: "nowhere" })] });
    expect(rowOf(run, "child").error).toEqual({ class: "invalid_execution", message: "No such." });
  });

  it("has the earlier of its own deadline and that of its parent", () => {
    const { world, run } = begin({
      steps: [
        stepWith(
          "child",
          [],
          { kind: "steps", steps: [stepWith("w", [], { kind: "event", name: "never" })] },
          { timeoutSeconds: 60 },
        ),
      ],
    });
    expect(world.passTime()).toBe(true);
    world.settle();
    expect(rowOf(run, "child").error).toEqual({
      class: "deadline_exceeded",
      message: "The run took longer than it may.",
    });
    expect(run.end?.state).toBe("failed");
  });
});

describe("a task", () => {
  it("is refused where it would carry too much", () => {
    const { run } = begin(
      {
        steps: [
          value("big", "${input.text}"),
          task("use", ["big"], { work: { kind: "task", type: "x", payload: "${steps.big.output}" } }),
        ],
      },
      { input: { text: "x".repeat(300_000) } },
    );
    expect(rowOf(run, "use").error).toEqual({
      class: "payload_too_large",
      message: 'The task of step "use" would carry more than 262144 bytes; hand over a path or an address instead.',
    });
  });

  it("hands on of its result what the step takes", () => {
    const execution = { image: "x", command: ["x"] };
    const result = { exitCode: 0, stdoutTail: "said", runnerOutput: { a: 1 } };
    const outputs = ([undefined, "result", "stdout"] as const).map((take) => {
      const work = { kind: "task" as const, execution, ...(take !== undefined && { take }) };
      const { world, run } = begin({ steps: [task("t", [], { work })] });
      finish(world, () => result);
      return run.end?.output;
    });
    expect(outputs).toEqual([{ t: { a: 1 } }, { t: result }, { t: "said" }]);
  });

  it("is heard once, and only while its step works on it", () => {
    const { world, run } = begin({
      steps: [task("again", [], { repeat: { until: "output == 2", maxIterations: 3, atBound: "fail" } })],
    });
    const [first] = world.open();
    if (first === undefined) throw new Error("a task is expected");
    world.endTask(first, { state: "completed", result: 1 });
    world.signal(run, { kind: "task", taskId: first.id });
    world.settle();
    world.signal(run, { kind: "task", taskId: first.id });
    world.settle();
    expect(world.tasks.size).toBe(2);
    finish(world, () => 2);
    expect(run.end?.output).toEqual({ again: 2 });
  });

  it("that somebody cancels by hand fails its step", () => {
    const { world, run } = begin({ steps: [task("a")] });
    finish(world, () => ({ state: "cancelled" }));
    expect(rowOf(run, "a")).toMatchObject({ state: "failed", error: { class: "cancelled" } });
    expect(run.end?.state).toBe("failed");
  });
});
