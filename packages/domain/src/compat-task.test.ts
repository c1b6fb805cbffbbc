import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compatError, compatResult, compatStatus, compatTimes, type CompatTask } from "./compat-task.ts";
import type { RunResult } from "./run-result.ts";
import { taskStates } from "./task.ts";

const startedAt = new Date("2026-05-01T12:00:00.250Z");
const finishedAt = new Date("2026-05-01T12:00:02.750Z");

const run: RunResult = {
  exitCode: 0,
  durationMs: 2345,
  outputs: [
    { path: "out.json", type: "json", name: "summary", sizeBytes: 12, checksum: "sha256:ab" },
    { path: "log.txt", sizeBytes: 1, checksum: "sha256:cd" },
  ],
  outputsSummary: { "out.json": { score: 0.5 } },
  stdoutTail: '__DSPY_RESULT__:{"score": 0.5}\n',
  stderrTail: "",
  runnerOutput: { score: 0.5 },
  workingDir: "/workspace",
};

function setup(facts: Partial<CompatTask> = {}): CompatTask {
  return {
    id: "e-1",
    class: "cpu_long",
    namespace: "default",
    state: "completed",
    payload: { tenant: "gepa", workflow_id: "wf-1" },
    attempt: 1,
    startedAt,
    finishedAt,
    ...facts,
  };
}

describe("compatStatus", () => {
  it("knows four words only, and shows a cancelled task as failed", () => {
    expect(taskStates.map((state) => `${state} ${compatStatus(state)}`)).toEqual([
      "waiting pending",
      "pending pending",
      "running running",
      "completed completed",
      "failed failed",
      "cancelled failed",
    ]);
  });
});

describe("compatError", () => {
  it("has a text for everything that is shown as failed, and none for the rest", () => {
    expect(compatError("failed", { class: "timeout", message: "The attempt ran past 60 s." })).toBe(
      "The attempt ran past 60 s.",
    );
    expect(compatError("failed", { class: "timeout", message: "" })).toBe("timeout");
    expect(compatError("cancelled", { class: "cancelled", message: "no longer needed" })).toBe(
      "The task was cancelled: no longer needed",
    );
    for (const state of taskStates) {
      expect(compatError(state, null) !== "", state).toBe(compatStatus(state) === "failed");
    }
  });
});

describe("compatTimes", () => {
  it("stays 0 until the task is final", () => {
    expect(compatTimes(setup({ state: "running", finishedAt: null }))).toEqual({ durationMs: 0, completedAt: 0n });
    expect(compatTimes(setup({ state: "pending" }))).toEqual({ durationMs: 0, completedAt: 0n });
    expect(compatTimes(setup())).toEqual({ durationMs: 2500, completedAt: 1_777_636_802n });
    expect(compatTimes(setup({ state: "cancelled", startedAt: null }))).toEqual({
      durationMs: 0,
      completedAt: 1_777_636_802n,
    });
  });
});

describe("compatResult", () => {
  it("tells where a running task started", () => {
    expect(compatResult(setup({ state: "running" }))).toEqual({
      class: "cpu_long",
      started_at: "2026-05-01T12:00:00.250Z",
      tenant: "gepa",
      workflow_id: "wf-1",
      source: "runner",
    });
    expect(compatResult(setup({ state: "running", payload: "text" }))).toMatchObject({ tenant: "default" });
    expect(compatResult(setup({ state: "pending" }))).toEqual({});
  });

  it("carries the runner's metadata as JSON text, with the summary in both places", () => {
    const result = compatResult(setup({ payload: { workflow_context: { id: "wf-1" } } }), { run });
    expect(Object.keys(result).toSorted()).toEqual(["class", "latency_ms", "metadata", "workflow_context"]);
    expect(result).toMatchObject({ latency_ms: "2345", class: "cpu_long", workflow_context: '{"id":"wf-1"}' });
    expect(JSON.parse(result["metadata"] ?? "")).toEqual({
      status: "completed",
      exit_code: 0,
      duration_ms: 2345,
      tenant: "default",
      workflow_id: null,
      result: {
        outputs: [
          { path: "out.json", type: "json", name: "summary", size_bytes: 12, checksum: "sha256:ab" },
          { path: "log.txt", type: null, name: null, size_bytes: 1, checksum: "sha256:cd" },
        ],
        metrics: { wall_clock_ms: 2345, task_class: "cpu_long" },
        outputs_summary: { "out.json": { score: 0.5 } },
      },
      outputs_summary: { "out.json": { score: 0.5 } },
      logs: { stdout_path: "", stderr_path: "", stdout_tail: '__DSPY_RESULT__:{"score": 0.5}\n', stderr_tail: "" },
      progress: [],
      working_dir: "/workspace",
      runner_output: { score: 0.5 },
    });
  });

  it("keeps the logs of a task that failed", () => {
    const result = compatResult(setup({ state: "failed" }), { run: { ...run, exitCode: 3, stderrTail: "boom" } });
    expect(JSON.parse(result["metadata"] ?? "")).toMatchObject({
      status: "failed",
      exit_code: 3,
      logs: { stderr_tail: "boom" },
    });
  });

  it("gives the fields of a handler's object, and any other value as result", () => {
    expect(compatResult(setup({ payload: {} }), { value: { data: { x: 1 }, text: "a", none: null } })).toEqual({
      latency_ms: "2500",
      class: "cpu_long",
      data: '{"x":1}',
      text: "a",
    });
    expect(compatResult(setup({ payload: {} }), { value: [1, 2] })).toMatchObject({ result: "[1,2]" });
    expect(compatResult(setup({ payload: null, startedAt: null }))).toEqual({ latency_ms: "0", class: "cpu_long" });
  });

  it("has nothing but texts, for every state and payload", () => {
    const json = fc.jsonValue() as fc.Arbitrary<never>;
    fc.assert(
      fc.property(fc.constantFrom(...taskStates), json, json, (state, payload, value) => {
        return Object.values(compatResult(setup({ state, payload }), { value })).every(
          (text) => typeof text === "string",
        );
      }),
    );
  });
});
