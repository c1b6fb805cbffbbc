import { describe, expect, it } from "vitest";
import type { Json } from "../../json.ts";
import type { Step, Work } from "../definition.ts";
import { begin, finish, rowOf, stepWith, task } from "./testing-play.ts";

function waiting(work: Work, rest: Partial<Step> = {}, input: Json = {}) {
  return begin({ steps: [stepWith("w", [], work, rest)] }, { input });
}

describe("waiting for a time", () => {
  it("ends after so many seconds", () => {
    const { world, run } = waiting({ kind: "wait", seconds: "${input.s}" }, {}, { s: 90 });
    const from = world.nowMs;
    expect(rowOf(run, "w")).toMatchObject({ state: "waiting", data: { untilMs: from + 90_000 } });
    world.nowMs += 89_999;
    world.settle();
    expect(run.end).toBeUndefined();
    expect(world.passTime()).toBe(true);
    expect(world.nowMs).toBe(from + 90_000);
    world.settle();
    expect(run.end).toMatchObject({ state: "completed", output: { w: null } });
  });

  it("ends at a date, and at once where that has passed", () => {
    const { world, run } = waiting({ kind: "wait", until: "2026-01-01T00:01:00+00:00" });
    expect(rowOf(run, "w").data?.untilMs).toBe(world.nowMs + 60_000);
    expect(waiting({ kind: "wait", until: "2020-01-01" }).run.end?.state).toBe("completed");
    expect(waiting({ kind: "wait", seconds: -5 }).run.end?.state).toBe("completed");
  });

  it.each([
    [{ kind: "wait" as const, seconds: "soon" }, 'Expected seconds to wait, got "soon".'],
    [{ kind: "wait" as const, seconds: [] }, "Expected seconds to wait, got []."],
    [{ kind: "wait" as const, until: "tomorrow" }, 'Expected a date and time with its zone to wait, got "tomorrow".'],
    [{ kind: "wait" as const, seconds: 1e12 }, "Expected to wait for at most ten years, got 1000000000000."],
  ])("fails where %j is no time", (work, message) => {
    expect(rowOf(waiting(work).run, "w").error).toEqual({ class: "expression_failed", message });
  });

  it("wakes for the next of several", () => {
    const { world, run } = begin({
      steps: [30, 10, 20].map((seconds) => stepWith(`w${seconds}`, [], { kind: "wait", seconds })),
    });
    const from = world.nowMs;
    const times: number[] = [];
    while (run.end === undefined && world.passTime()) {
      times.push((world.nowMs - from) / 1000);
      world.settle();
    }
    expect(times).toEqual([10, 20, 30]);
  });

  it("does not count toward the limit of parallelism", () => {
    const { world } = begin({ steps: [stepWith("w", [], { kind: "wait", seconds: 5 }), task("t")], maxParallel: 1 });
    expect(world.open()).toHaveLength(1);
  });
});

describe("waiting for an event", () => {
  const work: Work = { kind: "event", name: "paid-${input.order}" };

  it("ends with the data of the event", () => {
    const { world, run } = waiting(work, {}, { order: 7 });
    world.signal(run, { kind: "event", name: "paid-8", data: 1 });
    world.settle();
    expect(run.end).toBeUndefined();
    world.signal(run, { kind: "event", name: "paid-7", data: { amount: 3 } });
    world.settle();
    expect(run.end?.output).toEqual({ w: { amount: 3 } });
  });

  it("takes an event that came before, once", () => {
    const { world, run } = begin({
      steps: [
        task("first"),
        stepWith("one", ["first"], { kind: "event", name: "go" }),
        stepWith("two", ["one"], { kind: "event", name: "go" }),
      ],
    });
    world.signal(run, { kind: "event", name: "go", data: "early" });
    world.settle();
    expect(run.mailbox).toEqual([{ name: "go", data: "early" }]);
    finish(world);
    expect(rowOf(run, "one").output).toBe("early");
    expect(rowOf(run, "two").state).toBe("waiting");
    expect(run.mailbox).toEqual([]);
  });

  it("takes an event that comes with the signal that makes it wait", () => {
    const { world, run } = begin({ steps: [task("first"), stepWith("w", ["first"], { kind: "event", name: "go" })] });
    const [first] = world.open();
    if (first === undefined) throw new Error("a task is expected");
    world.signal(run, { kind: "event", name: "go", data: 5 });
    world.endTask(first, { state: "completed", result: null });
    world.settle();
    expect(run.end?.output).toEqual({ w: 5 });
  });

  it("fails when it has not come in time, and does not hear it after", () => {
    const { world, run } = waiting(work, { timeoutSeconds: 60 }, { order: 7 });
    world.passTime();
    world.signal(run, { kind: "event", name: "else", data: 1 });
    world.settle();
    expect(rowOf(run, "w").error).toEqual({
      class: "timeout",
      message: 'Step "w": event "paid-7" did not come in time.',
    });
    expect(run.end?.state).toBe("failed");
  });

  it("is possible for every item of a map, some of them at a time", () => {
    const { world, run } = waiting({ kind: "event", name: "e${item}" }, { each: { items: [0, 1, 2], concurrency: 1 } });
    for (const name of ["e2", "e0", "e1"]) {
      world.signal(run, { kind: "event", name, data: name });
      world.settle();
    }
    expect(run.end?.output).toEqual({ w: ["e0", "e1", "e2"] });
    expect([...world.moves]).toContain("step pending completed");
  });
});

describe("waiting for an approval", () => {
  const approval = {
    kind: "approval" as const,
    approvers: ["ada"],
    message: "Ship ${input.what}?",
    atTimeout: "fail" as const,
  };

  it("shows whom and what it asks, and completes when it is given", () => {
    const { world, run } = waiting(approval, {}, { what: "it" });
    expect(rowOf(run, "w").data).toEqual({ approvers: ["ada"], message: "Ship it?" });
    world.signal(run, { kind: "decision", step: "w", isApproved: true, approver: "ada", comment: "Fine." });
    world.settle();
    expect(run.end?.output).toEqual({ w: { approved: true, approver: "ada", comment: "Fine." } });
  });

  it("fails when it is refused, with the reason", () => {
    const { world, run } = waiting(approval, {}, { what: "it" });
    world.signal(run, { kind: "decision", step: "w", isApproved: false, approver: "ada", comment: "Too soon." });
    world.settle();
    expect(rowOf(run, "w").error).toEqual({ class: "approval_rejected", message: "ada rejected it: Too soon." });
  });

  it("fails or goes on when nobody decides in time, as it says", () => {
    const ends = (["fail", "approve"] as const).map((atTimeout) => {
      const { world, run } = waiting({ ...approval, atTimeout }, { timeoutSeconds: 60 }, { what: "it" });
      world.passTime();
      world.settle();
      return [rowOf(run, "w").error?.message, run.end?.output];
    });
    expect(ends).toEqual([
      ['Step "w": nobody approved it in time.', { w: null }],
      [undefined, { w: { approved: true, approver: "", comment: "Nobody decided in time." } }],
    ]);
  });
});
