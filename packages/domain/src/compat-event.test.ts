import { describe, expect, it } from "vitest";
import { compatEvent, compatRunEvent, type TaskEvent } from "./compat-event.ts";

const at = new Date("2026-05-01T12:00:02.750Z");

function setup(event: Partial<TaskEvent> = {}): TaskEvent {
  const startedAt = new Date("2026-05-01T12:00:00.250Z");
  const task = {
    id: "e-1",
    class: "gpu",
    namespace: "default",
    state: "failed",
    payload: { tenant: "gepa", n: 1 },
    attempt: 2,
    startedAt,
    finishedAt: at,
  } as const;
  return { kind: "task.submitted", at, task, ...event };
}

describe("compatEvent", () => {
  it("tells a submission with its payload as JSON text", () => {
    expect(compatEvent(setup())).toEqual({
      eventType: "task_submitted",
      resourceId: "e-1",
      data: { task_id: "e-1", class: "gpu", payload: '{"tenant":"gepa","n":1}' },
      timestamp: 1_777_636_802n,
    });
  });

  it("tells a start with the time of the event, whatever became of the task since", () => {
    expect(compatEvent(setup({ kind: "task.started" }))?.data).toEqual({
      task_id: "e-1",
      class: "gpu",
      started_at: "2026-05-01T12:00:02.750Z",
      tenant: "gepa",
      source: "runner",
    });
  });

  it("tells a completion with the result map as JSON text", () => {
    const event = compatEvent(setup({ kind: "task.completed", outcome: { value: { data: 7 } } }));
    expect(event).toMatchObject({ eventType: "task_completed", data: { task_id: "e-1" } });
    expect(JSON.parse(event?.data["result"] ?? "")).toEqual({ latency_ms: "2500", class: "gpu", data: "7" });
  });

  it("tells failures and cancellations as failures with a text", () => {
    const error = { class: "timeout", message: "Too slow." };
    expect(compatEvent(setup({ kind: "task.failed", error }))).toMatchObject({
      eventType: "task_failed",
      data: { task_id: "e-1", error: "Too slow." },
    });
    expect(compatEvent(setup({ kind: "task.cancelled" }))).toMatchObject({
      eventType: "task_failed",
      data: { error: "The task was cancelled." },
    });
  });

  it("leaves out kinds that these clients have no word for", () => {
    for (const kind of ["task.retrying", "task.lost", "node.lost", "toString", ""]) {
      expect(compatEvent(setup({ kind }))).toBeUndefined();
    }
  });
});

describe("compatRunEvent", () => {
  const run = {
    id: "run-1",
    workflow: "wf-1",
    version: 1,
    state: "failed",
    error: { class: "step_failed", message: "It broke." },
    input: {},
    output: null,
    idempotencyKey: null,
    createdAt: at,
    startedAt: at,
    finishedAt: at,
  } as const;

  it.each([
    ["run.started", "workflow_started", { started_at: "2026-05-01T12:00:02.750Z" }],
    ["run.resumed", "workflow_started", { started_at: "2026-05-01T12:00:02.750Z" }],
    ["run.completed", "workflow_completed", { status: "completed" }],
    ["run.partially_completed", "workflow_failed", { status: "failed", error: "It broke." }],
    ["run.failed", "workflow_failed", { status: "failed", error: "It broke." }],
    ["run.cancelled", "workflow_failed", { status: "failed", error: "The run was cancelled: It broke." }],
  ])("tells %s as %s", (kind, eventType, more) => {
    expect(compatRunEvent({ kind, at, run })).toEqual({
      eventType,
      resourceId: "run-1",
      data: { run_id: "run-1", workflow_id: "wf-1", ...more },
      timestamp: 1_777_636_802n,
    });
  });

  it("leaves out what is no event of a run, or none that these clients know", () => {
    for (const kind of ["run.advanced", "run.event", "task.started", "toString"])
      expect(compatRunEvent({ kind, at, run })).toBeUndefined();
    expect(compatEvent(setup({ kind: "run.started" }))).toBeUndefined();
  });
});
