import { describe, expect, it } from "vitest";
import type { RunResult } from "./executor.ts";
import type { End } from "./outcome.ts";
import { settle } from "./outcome.ts";
import { requestOf } from "./testing.ts";

const result: RunResult = {
  exitCode: 0,
  durationMs: 1,
  outputs: [],
  outputsSummary: {},
  stdoutTail: "",
  stderrTail: "a\nlast\n",
  workingDir: "/",
};

describe("how an attempt ended", () => {
  it.each<[string, End]>([
    ["completed", { exitCode: 0 }],
    ["completed", { exitCode: 0, isOutOfMemory: true }], // a child was killed, the command went on
    ["cancelled", { exitCode: 0, stopReason: "cancelled" }],
    ["timeout", { exitCode: 137, stopReason: "timeout", isOutOfMemory: true }],
    ["exit_nonzero", { exitCode: 1 }],
    ["exit_nonzero", { exitCode: 137 }],
    ["oom_killed", { exitCode: 137, isOutOfMemory: true }],
    ["engine_unavailable", { exitCode: 137, wasEngineAway: true }],
    ["engine_unavailable", { exitCode: 143, wasEngineAway: true }],
    ["exit_nonzero", { exitCode: 2, wasEngineAway: true }],
    ["completed", { exitCode: 0, wasEngineAway: true }],
  ])("is %s after %j", (expected, end) => {
    const outcome = settle(requestOf({}), end, result);
    expect(outcome.state === "completed" ? "completed" : outcome.errorClass).toBe(expected);
    expect(outcome.result).toBe(result);
  });

  it("names the signal behind an exit code and the last line of stderr", () => {
    expect(settle(requestOf({}), { exitCode: 139 }, result)).toMatchObject({
      message: "The command exited with code 139 (SIGSEGV): last",
    });
  });
});
