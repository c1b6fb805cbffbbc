import { describe, expect, it } from "vitest";
import { explainPending, type PendingFacts } from "./pending.ts";

const untilAt = new Date("2026-05-01T12:00:00.000Z");

function setup(facts: Partial<PendingFacts> = {}): PendingFacts {
  return {
    state: "pending",
    className: "gpu",
    classPaused: false,
    classRunning: 0,
    executor: "docker",
    taskType: "",
    liveHolders: 2,
    ahead: 0,
    ...facts,
  };
}

describe("explainPending", () => {
  it("names the time until which a delayed or retrying task waits", () => {
    expect(explainPending(setup({ state: "waiting", waitingReason: "delayed", untilAt }))).toEqual({
      reason: "delayed",
      message: "It was submitted with a delay until 2026-05-01T12:00:00.000Z.",
      untilMs: untilAt.getTime(),
    });
    expect(explainPending(setup({ state: "waiting", waitingReason: "retrying", untilAt }))).toMatchObject({
      reason: "retrying",
      untilMs: untilAt.getTime(),
    });
    expect(explainPending(setup({ state: "waiting", waitingReason: "blocked" }))).toEqual({
      reason: "blocked",
      message: "Something else has to end first.",
    });
  });

  it("names the limit or budget that holds a call back", () => {
    const blocker = "limit tpm (100 tokens a minute)";
    expect(explainPending(setup({ state: "waiting", waitingReason: "rate_limited", blocker, untilAt }))).toEqual({
      reason: "rate_limited",
      message: "It waits for limit tpm (100 tokens a minute) until 2026-05-01T12:00:00.000Z.",
      untilMs: untilAt.getTime(),
    });
  });

  it("says how to resume a paused class, before anything else", () => {
    expect(explainPending(setup({ classPaused: true, classLimit: 0, liveHolders: 0 }))).toEqual({
      reason: "class_paused",
      message: "Class gpu is paused; `drover class resume gpu` lets it go on.",
    });
  });

  it("compares what runs with the limit of the class", () => {
    expect(explainPending(setup({ classLimit: 4, classRunning: 4, ahead: 1 }))).toEqual({
      reason: "class_limit",
      message: "Class gpu runs 4 tasks and its limit is 4; 1 task of its queue runs before it.",
    });
    expect(explainPending(setup({ classLimit: 4, classRunning: 3 }))).toMatchObject({ reason: "queued" });
  });

  it("names who is missing where nobody serves the queue", () => {
    expect(explainPending(setup({ liveHolders: 0 }))).toMatchObject({
      reason: "no_holder",
      message: expect.stringContaining("docker tasks of class gpu"),
    });
    expect(explainPending(setup({ liveHolders: 0, executor: "worker", taskType: "resize" }))).toMatchObject({
      reason: "no_holder",
      message: expect.stringContaining('type "resize" in class gpu'),
    });
  });

  it("names the provider that no agent calls", () => {
    expect(
      explainPending(setup({ liveHolders: 0, executor: "llm", taskType: "openai", className: "llm" })),
    ).toMatchObject({
      reason: "no_holder",
      message: expect.stringContaining('calls of provider "openai" in class llm'),
    });
  });

  it("counts what is ahead in the queue", () => {
    expect(explainPending(setup({ ahead: 12 }))).toEqual({
      reason: "queued",
      message: "12 tasks of its queue run before it; 2 live holders can run it.",
    });
    expect(explainPending(setup({ liveHolders: 1 }))).toEqual({
      reason: "queued",
      message: "It is the next of its queue; 1 live holder can run it.",
    });
  });

  it("has no answer for tasks that run or have ended", () => {
    for (const state of ["running", "completed", "failed", "cancelled"] as const) {
      expect(explainPending(setup({ state }))).toBeUndefined();
    }
  });

  it("tells which node a placed task is on, and how much of a gang is missing", () => {
    const placement = { nodes: 3, rejections: [] };
    expect(explainPending(setup({ placement: { ...placement, node: "gpu-01" } }))).toEqual({
      reason: "queued",
      message: "It is placed on node gpu-01, which is about to claim it.",
    });
    expect(
      explainPending(setup({ placement: { ...placement, gang: { name: "ddp", size: 4, present: 3 } } })),
    ).toMatchObject({ reason: "gang_incomplete", message: expect.stringContaining("3 of the 4 tasks of gang ddp") });
  });

  it("counts why nodes cannot run a task that is to be placed, and says so where one could", () => {
    const rejection = (node: string, code: "gpu_taken" | "taint") => ({ node, code, message: "No." });
    const rejections = [rejection("a", "taint"), rejection("b", "gpu_taken"), rejection("c", "gpu_taken")];
    expect(explainPending(setup({ placement: { nodes: 3, rejections } }))).toEqual({
      reason: "unplaced",
      message: "None of 3 nodes can run it now (gpu_taken 2, taint 1); the rejections tell of each.",
    });
    expect(explainPending(setup({ ahead: 1, placement: { nodes: 4, rejections } }))).toEqual({
      reason: "unplaced",
      message:
        "1 node of 4 could run it, which the next round of placement will use; 1 task of its queue runs before it.",
    });
    expect(explainPending(setup({ placement: { nodes: 0, rejections: [] } }))).toMatchObject({ reason: "no_holder" });
  });
});
