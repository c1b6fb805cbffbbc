import { describe, expect, it } from "vitest";
import {
  type CompatRun,
  compatRunError,
  compatRunOutput,
  compatRunRecord,
  compatRunStatus,
  type CompatStep,
} from "./compat-run.ts";
import type { Definition } from "./workflow/definition.ts";
import { runLifecycle, type RunState } from "./workflow/lifecycle.ts";

const at = (seconds: number) => new Date(Date.UTC(2026, 4, 1, 12, 0, seconds));

function setup(run: Partial<CompatRun> = {}, steps: Partial<CompatStep>[] = []) {
  const definition: Definition = {
    name: "w",
    steps: [
      { id: "last", needs: [{ from: "b" }, { from: "a" }], work: { kind: "value" } },
      { id: "b", work: { kind: "task", type: "x" } },
      { id: "a", work: { kind: "task", execution: { command: ["true"] } } },
    ],
  };
  const record = compatRunRecord(
    {
      id: "run-0000000000000001",
      workflow: "w",
      version: 2,
      state: "running",
      error: null,
      input: {},
      output: null,
      idempotencyKey: null,
      createdAt: at(0),
      startedAt: at(1),
      finishedAt: null,
      ...run,
    },
    { definition, graph: definition },
    steps.map((step) => ({
      number: 0,
      state: "running",
      attempt: null,
      hasTask: false,
      output: null,
      error: null,
      startedAt: at(2),
      finishedAt: null,
      ...step,
    })),
  );
  return { record, steps: record["steps"] as { [key: string]: unknown }[] };
}

describe("compatRunRecord", () => {
  it("lists steps so that what others need comes first, else by id", () => {
    const { record, steps } = setup();
    expect(steps.map((step) => step["node_id"])).toEqual(["a", "b", "last"]);
    expect(steps[0]).toEqual({
      node_id: "a",
      name: "a",
      type: "custom",
      action: { type: "custom", custom: { kind: "task" } },
      status: "pending",
      attempts: 0,
    });
    expect(record).toMatchObject({ status: "running", workflow_version: "2", metadata: { node_count: 3 } });
    expect(Object.keys(record)).not.toContain("input");
  });

  it("moves updated_at with its steps until the run is over, and then keeps it at the end", () => {
    const done: Partial<CompatStep> = { number: 1, state: "completed", finishedAt: at(9) };
    expect(setup({}, [done]).record["updated_at"]).toBe(at(9).toISOString());
    const ended = setup({ state: "completed", finishedAt: at(8) }, [done]).record;
    expect([ended["updated_at"], ended["completed_at"]]).toEqual([at(8).toISOString(), at(8).toISOString()]);
  });

  it("counts attempts of tasks, and one for a step that needs no task", () => {
    const { steps } = setup({}, [
      { number: 0, state: "completed", output: "made" },
      { number: 1, state: "failed", attempt: 3, hasTask: true, error: { message: "broke" } },
      { number: 2, state: "running", hasTask: true },
    ]);
    expect(steps.map((step) => [step["status"], step["attempts"]])).toEqual([
      ["running", 0],
      ["failed", 3],
      ["succeeded", 1],
    ]);
    expect(steps[1]?.["error"]).toBe("broke");
    expect(steps[2]?.["result"]).toBe("made");
  });

  it("shows of a command what it handed over", () => {
    const output = { exitCode: 0, stdoutTail: "noise", runnerOutput: { score: 1 } };
    const { steps } = setup({}, [{ number: 2, state: "completed", hasTask: true, attempt: 1, output }]);
    expect(steps[0]?.["result"]).toEqual({ score: 1 });
  });

  it("tells steps that were stopped, or never reached by a run that is over, as skipped", () => {
    const { steps } = setup({ state: "failed", finishedAt: at(5) }, [
      { number: 1, state: "failed", attempt: 1, hasTask: true, error: { message: "broke" } },
      { number: 2, state: "cancelled", attempt: 1, hasTask: true, error: { message: "Its run ended before it did." } },
    ]);
    expect(steps.map((step) => step["status"])).toEqual(["skipped", "failed", "skipped"]);
    expect(steps[0]?.["error"]).toBe("Its run ended before it did.");
  });

  it.each([
    ["pending", "pending", "pending"],
    ["running", "running", "running"],
    ["completed", "succeeded", "completed"],
    ["partially_completed", "failed", "failed"],
    ["failed", "failed", "failed"],
    ["cancelled", "cancelled", "failed"],
  ] satisfies [RunState, string, string][])("calls %s %s over HTTP and %s over gRPC", (state, http, grpc) => {
    expect(setup({ state }).record["status"]).toBe(http);
    expect(compatRunStatus(state)).toBe(grpc);
  });
});

describe("compatRunError", () => {
  it("has a text exactly where the run did not succeed", () => {
    for (const state of Object.keys(runLifecycle.states) as RunState[])
      expect(compatRunError({ state, error: null }) !== "").toBe(compatRunStatus(state) === "failed");
    const error = { class: "cancelled", message: "enough" };
    expect(compatRunError({ state: "cancelled", error })).toBe("The run was cancelled: enough");
    expect(compatRunError({ state: "failed", error: { class: "deadline", message: "" } })).toBe("deadline");
  });
});

describe("compatRunOutput", () => {
  it("makes texts of the fields, and a field of anything else", () => {
    expect(compatRunOutput({ a: "text", n: 1, list: [1], nothing: null })).toEqual({ a: "text", n: "1", list: "[1]" });
    expect(compatRunOutput([1, 2])).toEqual({ result: "[1,2]" });
    expect(compatRunOutput(null)).toEqual({});
  });
});
