import { describe, expect, it } from "vitest";
import type { Exit, Step } from "../definition.ts";
import { statesOf } from "./testing-engine.ts";
import { begin, failure, finish, idOf, rowOf, task, value } from "./testing-play.ts";

/** A router by the kind of the input, and a join of its branches. */
function routed(exits: Exit[], kind: string) {
  const routes: Step[] = exits.map((_, exit) => ({
    id: `route${exit}`,
    needs: [{ from: "router", exit }],
    work: { kind: "value", output: `taken ${exit}` },
  }));
  const router = value("router", { kind: "${input.kind}" }, [], { exits });
  const joined = exits.map((_, exit) => `\${steps.route${exit}.output}`);
  const join = value(
    "join",
    joined,
    exits.map((_, exit) => `route${exit}`),
  );
  return begin({ steps: [router, ...routes, join] }, { input: { kind } });
}

describe("routes", () => {
  const exits = [{ when: "output.kind == 'a'", group: 0 }, { when: "output.kind == 'b'", group: 0 }, { group: 0 }];

  it.each([
    ["a", ["taken 0", null, null]],
    ["b", [null, "taken 1", null]],
    ["c", [null, null, "taken 2"]],
  ])("take the first that is true for %s, and give null for the others behind a join", (kind, join) => {
    const { run } = routed(exits, kind);
    expect(run.end).toEqual({ state: "completed", output: { join }, error: null });
    expect(run.counts).toMatchObject({ completed: 3, skipped: 2, failed: 0 });
  });

  it("take the default only when nothing else is true, though it stands first", () => {
    const { run } = routed([{ group: 0 }, { when: "output.kind == 'a'", group: 0 }], "a");
    expect(run.end?.output).toEqual({ join: [null, "taken 1"] });
  });

  it("pass over a condition that cannot be evaluated where another one is true", () => {
    const { run } = routed(
      [
        { when: "output.nothing", group: 0 },
        { when: "output.kind == 'a'", group: 0 },
      ],
      "a",
    );
    expect(run.end?.output).toEqual({ join: [null, "taken 1"] });
  });

  it("fail the step where a condition cannot be evaluated and nothing else is taken", () => {
    const { run } = routed([{ when: "output.kid == 'a'", group: 0 }], "a");
    expect(statesOf(run)).toEqual({
      router: "failed",
      route0: "skipped dependency_failed",
      join: "skipped dependency_failed",
    });
    expect(rowOf(run, "router").error).toEqual({
      class: "expression_failed",
      message:
        'Condition `output.kid == \'a\'`: in output: expected one of the keys "kind", got "kid"; did you mean "kind"?',
    });
  });

  it("of several groups take one each", () => {
    const both: Exit[] = [{ when: "output.kind == 'a'", group: 0 }, { group: 1 }, { when: "true", group: 1 }];
    const { run } = routed(both, "a");
    expect(run.end?.output).toEqual({ join: ["taken 0", null, "taken 2"] });
  });

  it("decide on the output of a task, and on the state that the step has written", () => {
    const { world, run } = begin({
      state: { seen: { merge: "append", default: [] } },
      steps: [
        task("ask", [], {
          writes: { seen: "${output.score}" },
          exits: [{ when: "length(state.seen) > 0 and state.seen[0] > 3", group: 0 }],
        }),
        { ...value("good", "yes"), needs: [{ from: "ask", exit: 0 }] },
      ],
    });
    finish(world, () => ({ score: 4 }));
    expect(run).toMatchObject({ fields: { seen: [4] }, end: { state: "completed", output: { good: "yes" } } });
  });
});

describe("conditions", () => {
  it("skip a step and everything that hangs on it alone", () => {
    const { run } = begin(
      {
        steps: [
          value("start", 1),
          value("off", 1, ["start"], { when: "input.isOn" }),
          value("behind", 1, ["off"]),
          value("far", 1, ["behind"]),
          value("beside", "${steps.behind.output}", ["behind", "start"]),
        ],
      },
      { input: { isOn: false } },
    );
    expect(statesOf(run)).toEqual({
      start: "completed",
      off: "skipped not_taken",
      behind: "skipped not_taken",
      far: "skipped not_taken",
      beside: "completed",
    });
    expect(run.end).toMatchObject({ state: "completed", output: { far: null, beside: null } });
  });

  it("fail the step with a readable message where they cannot be evaluated", () => {
    const { run } = begin({ steps: [value("one", 1, [], { when: "input.size > 'x'" })] }, { input: { size: 3 } });
    expect(run.end).toMatchObject({ state: "failed", error: { class: "step_failed" } });
    expect(rowOf(run, "one").error?.message).toBe(
      "Condition `input.size > 'x'`: expected two numbers or two texts around \">\" at position 11, got a number > a text.",
    );
  });
});

describe("state", () => {
  it("is appended to where its field says so, and replaced elsewhere, all of a step at once", () => {
    const { run } = begin({
      state: { log: { merge: "append" }, last: { merge: "replace", default: 0 } },
      steps: [
        value("one", 1, [], { writes: { log: "${output}", last: "${output}" } }),
        value("two", [2, 3], ["one"], { writes: { log: "${output}", last: "${state.log}" } }),
      ],
      output: "${state}",
    });
    expect(run.end).toMatchObject({ state: "completed", output: { log: [1, 2, 3], last: [1] } });
  });

  it("stays as it was where a write cannot be evaluated, and the step fails", () => {
    const { run } = begin({
      state: { kept: { merge: "replace", default: "old" } },
      steps: [value("one", { a: 1 }, [], { writes: { kept: "${output.b}" } })],
    });
    expect(rowOf(run, "one").error).toMatchObject({ class: "expression_failed" });
    expect(run.fields).toEqual({ kept: "old" });
  });
});

describe("a way out that cannot be found", () => {
  it("takes back what the step had written", () => {
    const { run } = begin({
      state: { kept: { merge: "replace", default: "old" } },
      steps: [value("one", 1, [], { writes: { kept: "new" }, exits: [{ when: "output.x", group: 0 }] })],
    });
    expect(rowOf(run, "one").state).toBe("failed");
    expect(run.fields).toEqual({ kept: "old" });
  });
});

describe("failures", () => {
  const graph = { steps: [task("a"), task("b", ["a"]), task("c", ["b"]), task("alone")] };

  it("skip what needs the failed step, and let the rest go on", () => {
    const { world, run } = begin(graph);
    finish(world, (one) => (idOf(one) === "a" ? failure() : 1));
    expect(statesOf(run)).toEqual({
      a: "failed",
      b: "skipped dependency_failed",
      c: "skipped dependency_failed",
      alone: "completed",
    });
    expect(rowOf(run, "c").error?.message).toBe('Step "b", which it needs, did not complete.');
    expect(run.end).toEqual({
      state: "partially_completed",
      output: { c: null, alone: 1 },
      error: { class: "step_failed", message: "1 of 4 steps failed, 2 were skipped." },
    });
  });

  it("are named by those who are skipped for them", () => {
    const { world, run } = begin({ steps: [task("a"), task("b"), task("c"), task("d", ["a", "b", "c"])] });
    finish(world, (one) => (idOf(one) === "a" ? failure() : 1));
    expect(rowOf(run, "d").error?.message).toBe('Step "a", which it needs, did not complete.');
  });

  it("end the run where its policy or the step says so, once what is in flight has stopped", () => {
    for (const [policy, isCritical] of [
      ["stop", false],
      ["continue", true],
    ] as const) {
      const { world, run } = begin({
        failure: { onFailure: policy },
        steps: [task("a", [], { isCritical }), task("b", ["a"]), task("alone")],
      });
      const [first, alone] = world.open();
      if (first === undefined || alone === undefined) throw new Error("two tasks are expected");
      world.endTask(first, failure("Disk full."));
      world.settle();
      expect(run.end).toBeUndefined();
      expect(alone.isCancelRequested).toBe(true);
      world.endTask(alone, { state: "cancelled" });
      world.settle();
      expect(run.end).toMatchObject({ state: "failed", error: { message: 'Step "a" failed: Disk full.' } });
      expect(statesOf(run)).toEqual({ a: "failed", b: "not_reached", alone: "cancelled" });
    }
  });

  it("are tolerated where the step may fail: others run, and read null", () => {
    const { world, run } = begin({
      steps: [task("a", [], { mayFail: true }), value("b", { a: "${steps.a.output}" }, ["a"])],
    });
    finish(world, () => failure());
    expect(run.end).toEqual({ state: "completed", output: { b: { a: null } }, error: null });
  });

  it("fail the run where more of its steps failed than may", () => {
    const states = [0.2, 0.5].map((maxFailedShare) => {
      const { world, run } = begin({ ...graph, failure: { onFailure: "continue", maxFailedShare } });
      finish(world, (one) => (idOf(one) === "a" ? failure() : 1));
      return run.state;
    });
    expect(states).toEqual(["failed", "partially_completed"]);
  });
});

describe("the output", () => {
  it("is made from the template", () => {
    const { run } = begin({
      steps: [value("a", { n: 3 }), value("b", "${steps.a.output.n}", ["a"])],
      output: { text: "b is ${steps.b.output}", run: "${run.workflow}" },
    });
    expect(run.end?.output).toEqual({ text: "b is 3", run: "story" });
  });

  it("fails the run that completed, where the template cannot be filled in", () => {
    const { run } = begin({ steps: [value("a", { n: 3 })], output: "${steps.a.output.m}" });
    expect(run.end).toMatchObject({ state: "failed", output: null, error: { class: "output_failed" } });
    expect(run.end?.error?.message).toContain('expected one of the keys "n", got "m"');
  });

  it("does not hide why a run failed", () => {
    const { world, run } = begin({ steps: [task("a"), value("b", 1)], output: "${steps.a.output.m}" });
    finish(world, () => failure());
    expect(run.end).toMatchObject({ state: "partially_completed", output: null, error: { class: "step_failed" } });
  });

  it("of a unit is at most 1 MiB of JSON", () => {
    const { run } = begin({
      steps: [
        value("double", ["${previous}", "${previous}"], [], {
          repeat: { until: "false", maxIterations: 1_000_000, atBound: "complete" },
        }),
      ],
    });
    expect(rowOf(run, "double").error).toMatchObject({ class: "output_too_large" });
    expect(run.rows.size).toBeLessThan(30);
  });
});

describe("parallelism", () => {
  it("is kept, and 15 steps complete under a limit of 10", () => {
    const steps = Array.from({ length: 15 }, (_, place) => task(`t${place}`));
    const { world, run } = begin({ steps, maxParallel: 10 });
    expect(world.open()).toHaveLength(10);
    expect(run.counts).toMatchObject({ running: 10, held: 5 });
    finish(world);
    expect(run.end?.state).toBe("completed");
    expect(run.counts).toMatchObject({ completed: 15, running: 0, held: 0 });
  });

  it("lets a map go on whose items fail at once, while another one has all the items that it may have", () => {
    const each = { items: [..."abcdefgh"] };
    const { world, run } = begin(
      {
        steps: [task("slow", [], { each: { ...each, concurrency: 1 } }), task("hold"), task("fast", [], { each })],
        maxParallel: 2,
      },
      {
        heldPerStep: 2,
        refuse: (unit) => (unit.number === 2 ? { class: "invalid_execution", message: "No." } : undefined),
      },
    );
    const hold = world.open().find((one) => idOf(one) === "hold");
    if (hold === undefined) throw new Error("a task is expected");
    world.endTask(hold, { state: "completed", result: null });
    world.settle();
    expect(statesOf(run)).toEqual({ slow: "running", hold: "completed", fast: "failed" });
  });

  it("does not stand still when what was held back fails at once, however many", () => {
    const first = task("first");
    const bad = Array.from({ length: 50 }, (_, place) =>
      task(`bad${place}`, [], { work: { kind: "task", type: "x", payload: "${input.absent}" } }),
    );
    const map = task("map", [], { each: { items: Array.from({ length: 50 }, () => 0) } });
    const { world, run } = begin(
      { steps: [first, ...bad, map], maxParallel: 1 },
      {
        heldSteps: 2,
        heldPerStep: 2,
        refuse: (unit) => (unit.item >= 0 ? { class: "invalid_execution", message: "No." } : undefined),
      },
    );
    finish(world);
    expect(run.end?.state).toBe("partially_completed");
    expect(run.counts).toMatchObject({ completed: 1, failed: 51, running: 0, held: 0 });
  });
});

describe("a unit that cannot be started", () => {
  it("fails its step with the reason, and the run goes on", () => {
    const { run, world } = begin(
      { steps: [task("a"), task("b")] },
      {
        refuse: (unit) => (unit.number === 0 ? { class: "invalid_execution", message: "No such class." } : undefined),
      },
    );
    finish(world);
    expect(rowOf(run, "a").error).toEqual({ class: "invalid_execution", message: "No such class." });
    expect(run.end?.state).toBe("partially_completed");
  });
});

describe("cancelling", () => {
  it("ends a run at once where nothing is in flight, and what waited with it", () => {
    const { world, run } = begin({ steps: [{ id: "w", work: { kind: "event", name: "go" } }] });
    world.signal(run, { kind: "cancel", reason: "" });
    world.settle();
    expect(run.end).toMatchObject({ state: "cancelled", error: { message: "Somebody cancelled the run." } });
    expect(statesOf(run)).toEqual({ w: "cancelled" });
  });

  it("cancels a map whose items were stopped, and what of it was held back", () => {
    for (const concurrency of [1, 2]) {
      const { world, run } = begin({ steps: [task("map", [], { each: { items: [1, 2], concurrency } })] });
      world.signal(run, { kind: "cancel", reason: "Enough." });
      world.settle();
      finish(world, () => ({ state: "cancelled" }));
      expect(statesOf(run)).toEqual({ map: "cancelled" });
      expect(run.counts).toMatchObject({ cancelled: 1, failed: 0 });
      expect([0, 1].map((item) => rowOf(run, "map", item).state)).toEqual(["cancelled", "cancelled"]);
    }
  });

  it("reaches the tasks of nested runs", () => {
    const { world, run } = begin({ steps: [{ id: "body", work: { kind: "steps", steps: [task("inner")] } }] });
    world.signal(run, { kind: "cancel", reason: "Enough." });
    world.settle();
    const [inner] = world.open();
    expect(inner?.isCancelRequested).toBe(true);
    if (inner !== undefined) world.endTask(inner, { state: "cancelled" });
    world.settle();
    expect([...world.runs.values()].map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
  });
});
