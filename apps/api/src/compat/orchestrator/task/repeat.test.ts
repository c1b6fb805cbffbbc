import type { TaskDetailRow } from "@drover/db/query/task";
import { describe, expect, it } from "vitest";
import { createOpenTasks } from "./repeat.ts";

describe("createOpenTasks", () => {
  it("tells again what was told a while ago, and nothing else", () => {
    const { time, open } = setup();
    open.tell(task("1"));
    time.now = 300;
    open.tell(task("2"));
    expect(open.dueInMs()).toBe(100);
    expect(open.due()).toEqual([]);
    time.now = 400;
    expect(open.due()).toMatchObject([{ taskId: "id-1" }]);
    expect(open.dueInMs()).toBe(300);
    time.now = 800;
    expect(open.due()).toMatchObject([{ taskId: "id-2" }, { taskId: "id-1" }]);
  });

  it("forgets a task once it was told to be final", () => {
    const { time, open } = setup();
    open.tell(task("1"));
    expect(open.tell(task("1", { state: "completed" }))).toMatchObject({ status: "completed" });
    time.now = 10_000;
    expect(open.due()).toEqual([]);
    expect(open.size).toBe(0);
    expect(open.dueInMs()).toBe(400);
  });

  it("knows news from what the client was told already", () => {
    const { open } = setup();
    open.tell(task("1"));
    expect(open.isNews(task("1"))).toBe(false);
    expect(open.isNews(task("1", { state: "running", attempt: 1 }))).toBe(true);
    open.tell(task("1", { state: "running", attempt: 1 }));
    expect(open.isNews(task("1", { state: "running", attempt: 2 }))).toBe(true);
  });

  it("gives up the oldest tasks beyond its limit", () => {
    const { time, open } = setup({ maxTasks: 2 });
    for (const key of ["1", "2", "3"]) open.tell(task(key));
    time.now = 400;
    expect(open.due()).toMatchObject([{ taskId: "id-2" }, { taskId: "id-3" }]);
  });
});

function setup(options: { maxTasks?: number } = {}) {
  const time = { now: 0 };
  return { time, open: createOpenTasks({ repeatMs: 400, now: () => time.now, ...options }) };
}

function task(key: string, facts: Partial<TaskDetailRow> = {}): TaskDetailRow {
  return {
    key,
    name: `id-${key}`,
    run_id: null,
    step_number: null,
    namespace: "default",
    state: "pending",
    class: "cpu_short",
    class_id: 1,
    queue_id: 1,
    executor: "worker",
    type: "default",
    priority: 0,
    timeout_seconds: 60,
    labels: null,
    retry: null,
    attempt: 0,
    holder: null,
    started_at: null,
    finished_at: null,
    waiting_reason: null,
    waiting_until: null,
    blocker: null,
    cancel_requested: false,
    error: null,
    payload: {},
    execution: null,
    result: null,
    ...facts,
  };
}
