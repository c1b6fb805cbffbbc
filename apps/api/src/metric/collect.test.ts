import { createMetrics } from "@drover/daemon/metric";
import { register } from "@drover/db/node/register";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createOrchestratorBench, type OrchestratorBench } from "../compat/orchestrator/testing.ts";
import { metrics as declarations } from "../metric.ts";
import { collectMetrics } from "./collect.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

const execution = "{'image': 'busybox', 'command': ['true']}";

describe("collectMetrics", () => {
  it("counts what is pending, running and done, over all replicas, and the rate of errors", async () => {
    const { series } = setup();
    expect(await series()).toMatchObject({ queue_tasks_submitted_total: 0, env_error_rate: 0 });
    const worker = await bench.startWorker({ fine: () => 1 });
    for (const id of ["a", "b", "c"]) await bench.client.submitTask({ id, payload: { task_type: "fine" } });
    await bench.client.submitTask({ id: "d", payload: { task_type: "nobody" } });
    await bench.client.submitTask({ id: "e", class: "gpu", payload: { execution } });
    await vi.waitFor(async () => expect((await series())["queue_tasks_completed_total"]).toBe(3), { timeout: 10_000 });
    expect(await series()).toMatchObject({
      queue_tasks_submitted_total: 5,
      queue_tasks_processed_total: 4,
      'orchestrator_task_errors_total{task="env_task"}': 1,
      env_queue_depth: 1,
      queue_depth: 1,
      orchestrator_inflight_tasks: 0,
      env_error_rate: 0.25,
      task_error_rate: 0.25,
      slurm_jobs_submitted_total: 0,
      workflows_total: 0,
    });
    expect((await series())["gpu_wait_seconds"]).toBeGreaterThan(0);
    expect((await series())["events_published_total"]).toBeGreaterThanOrEqual(12);
    // Another replica starts later and tells the same totals.
    expect(await setup().series()).toMatchObject({ queue_tasks_submitted_total: 5, queue_tasks_completed_total: 3 });
    await worker.stop();
  });

  it("looks at the last minute only for the rate of errors", async () => {
    const time = { now: 0 };
    const { series } = setup({ now: () => time.now });
    await series();
    await bench.client.submitTask({ id: "failing", payload: { task_type: "nobody" } });
    time.now = 30_000;
    expect((await series())["env_error_rate"]).toBe(1);
    time.now = 89_000;
    expect((await series())["env_error_rate"]).toBe(1);
    time.now = 91_000;
    expect((await series())["env_error_rate"]).toBe(0);
  });

  it("does not count again what it has just counted", async () => {
    const time = { now: 0 };
    const { series } = setup({ now: () => time.now, maxAgeMs: 2000 });
    const before = (await series())["queue_tasks_submitted_total"] ?? NaN;
    await bench.client.submitTask({ id: "one-more", payload: { task_type: "nobody" } });
    time.now = 1999;
    expect((await series())["queue_tasks_submitted_total"]).toBe(before);
    time.now = 2000;
    expect((await series())["queue_tasks_submitted_total"]).toBe(before + 1);
  });

  it("adds up the slots and GPUs of the nodes that are alive", async () => {
    await register(bench.db, {
      kind: "node",
      name: "host-1",
      namespace: "default",
      executors: ["docker"],
      taskTypes: [],
      classes: null,
      slots: { cpu_short: 4, gpu: 2 },
      facts: { gpu_count: "2" },
      version: "1",
    });
    const series = await setup().series();
    expect(series).toMatchObject({ orchestrator_concurrency_limit: 6, concurrency_limit: 6, runner_gpu_total: 2 });
  });
});

describe("GetMetrics", () => {
  it("answers every series by its key, and the four counters that only it knows", async () => {
    const { metrics, timestamp } = await bench.client.getMetrics({});
    expect(metrics).toMatchObject({ env_queue_depth: 1, tasks_pending: 1, tasks_running: 0, tasks_completed: 3 });
    expect(metrics["tasks_tracked_total"]).toBe(metrics["queue_tasks_submitted_total"]);
    expect(metrics['orchestrator_task_errors_total{task="env_task"}']).toBeGreaterThan(0);
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(5);
  });

  it("answers only what was asked for: by name every series, by key that one", async () => {
    const names = ["tasks_pending", "orchestrator_task_errors_total", "no_such_metric"];
    const { metrics } = await bench.client.getMetrics({ metricNames: names });
    expect(Object.keys(metrics).toSorted()).toEqual([
      'orchestrator_task_errors_total{task="env_task"}',
      "tasks_pending",
    ]);
    const one = await bench.client.getMetrics({ metricNames: ['orchestrator_task_errors_total{task="other"}'] });
    expect(one.metrics).toEqual({});
  });
});

function setup(options: { now?: () => number; maxAgeMs?: number } = {}) {
  const collect = { db: bench.db, maxAgeMs: 0, ...options };
  return createMetrics({
    declarations,
    collect: (handles) => collectMetrics({ ...collect, handles }),
    hasProcessMetrics: false,
    onFault: (error) => {
      throw error;
    },
  });
}
