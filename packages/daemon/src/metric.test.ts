import { type Counter, Gauge, type Histogram } from "prom-client";
import { describe, expect, expectTypeOf, it } from "vitest";

import { createMetrics, metricTable, type MetricDeclarations, type Metrics } from "./metric.ts";

const declarations = {
  submitted: {
    name: "drover_tasks_submitted_total",
    type: "counter",
    help: "Tasks accepted.",
    labels: ["class", "result"],
  },
  depth: { name: "env_queue_depth", type: "gauge", help: "Tasks that wait." },
  latency: {
    name: "drover_start_seconds",
    type: "histogram",
    help: "Submit to start.",
    labels: ["class"],
    buckets: [0.1, 1],
  },
} as const satisfies MetricDeclarations;

type Collect = (handles: Metrics<typeof declarations>["handles"]) => Promise<void>;

function setup(collect?: Collect) {
  const faults: unknown[] = [];
  const metrics = createMetrics({
    declarations,
    hasProcessMetrics: false,
    collectMs: 20,
    onFault: (error) => faults.push(error),
    ...(collect && { collect }),
  });
  return { metrics, faults };
}

describe("createMetrics", () => {
  it("gives each declaration a handle of its type that knows its labels", () => {
    const { metrics } = setup();
    expectTypeOf(metrics.handles.submitted).toEqualTypeOf<Counter<"class" | "result">>();
    expectTypeOf(metrics.handles.latency).toEqualTypeOf<Histogram<"class">>();
    expect(metrics.handles.depth).toBeInstanceOf(Gauge);
    expect(() => metrics.handles.submitted.inc({ class: "gpu", wrong: "x" } as never)).toThrow(/wrong/);
  });

  it("exposes Prometheus text 0.0.4 and the same as numbers by series", async () => {
    const { metrics } = setup();
    metrics.handles.submitted.inc({ class: 'g p"u', result: "ok" }, 2);
    metrics.handles.depth.set(7);
    metrics.handles.latency.observe({ class: "gpu" }, 0.5);
    expect(metrics.contentType).toContain("version=0.0.4");
    expect(await metrics.expose()).toContain(
      "# HELP env_queue_depth Tasks that wait.\n# TYPE env_queue_depth gauge\nenv_queue_depth 7\n",
    );
    expect(await metrics.series()).toEqual({
      'drover_tasks_submitted_total{class="g p\\"u",result="ok"}': 2,
      env_queue_depth: 7,
      'drover_start_seconds_bucket{le="0.1",class="gpu"}': 0,
      'drover_start_seconds_bucket{le="1",class="gpu"}': 1,
      'drover_start_seconds_bucket{le="+Inf",class="gpu"}': 1,
      'drover_start_seconds_sum{class="gpu"}': 0.5,
      'drover_start_seconds_count{class="gpu"}': 1,
    });
  });

  it("collects before it exposes, once for those who ask at the same time", async () => {
    let calls = 0;
    const { metrics } = setup(async ({ depth }) => depth.set((calls += 1)));
    const [one, two] = await Promise.all([metrics.series(), metrics.series()]);
    expect([one?.["env_queue_depth"], two?.["env_queue_depth"]]).toEqual([1, 1]);
    expect((await metrics.series())["env_queue_depth"]).toBe(2);
  });

  it("exposes the rest when collecting fails, and reports the fault", async () => {
    const { metrics, faults } = setup(() => Promise.reject(new Error("no database")));
    metrics.handles.depth.set(3);
    expect((await metrics.series())["env_queue_depth"]).toBe(3);
    expect(faults).toEqual([new Error("no database")]);
  });

  it("exposes the rest when collecting hangs", async () => {
    const { metrics, faults } = setup(() => new Promise(() => {}));
    metrics.handles.depth.set(3);
    expect((await metrics.series())["env_queue_depth"]).toBe(3);
    expect(faults).toMatchObject([{ reason: "deadline" }]);
  });

  it("adds the metrics of the process with the prefix of the product", async () => {
    const series = await createMetrics({ declarations: {} }).series();
    expect(series["drover_process_resident_memory_bytes"]).toBeGreaterThan(1e6);
    expect(Object.keys(series).filter((name) => !name.startsWith("drover_"))).toEqual([]);
  });

  it("refuses a counter whose name does not end in _total, and a name twice", () => {
    const counter = { name: "drover_tasks", type: "counter", help: "x" } as const;
    expect(() => createMetrics({ declarations: { counter } })).toThrow("got counter drover_tasks. Rename it.");
    const { depth } = declarations;
    expect(() => createMetrics({ declarations: { one: depth, two: depth } })).toThrow("env_queue_depth");
  });
});

describe("metricTable", () => {
  it("lists name, type, labels and meaning of every metric", () => {
    expect(metricTable(declarations).split("\n")).toEqual([
      "| Metric | Type | Labels | Meaning |",
      "| --- | --- | --- | --- |",
      "| `drover_tasks_submitted_total` | counter | `class`, `result` | Tasks accepted. |",
      "| `env_queue_depth` | gauge |  | Tasks that wait. |",
      "| `drover_start_seconds` | histogram | `class` | Submit to start. |",
    ]);
  });
});
