import { createMetrics } from "@drover/daemon/metric";
import { inventory } from "@drover/db/node/inventory";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { metrics as declarations } from "../metric.ts";
import { openTestFleet, testGpu, type TestFleet } from "../operation/place/testing.ts";
import { collectMetrics } from "./collect.ts";

let house: TestFleet;
beforeAll(async () => {
  house = await openTestFleet();
});
beforeEach(() => house.clear());
afterAll(() => house.close());

function series() {
  const { db } = house.queue;
  return createMetrics({ declarations, collect: (handles) => collectMetrics({ db, handles }) }).series();
}

describe("the metrics of GPUs", () => {
  it("count what nodes that are alive have found, how busy it is and how much is given away", async () => {
    const node = await house.node("a");
    const slice = { kind: "mig", parentUuid: "GPU-a-1", profile: "1g.10gb" } as const;
    const gpus = [
      testGpu("a", 0, { utilizationPercent: 90 }),
      testGpu("a", 2, { ...slice, utilizationPercent: 30 }),
      testGpu("a", 3, slice),
      testGpu("a", 4, slice),
    ];
    await inventory(house.queue.db, node, { gpus, images: [], models: [] });
    await house.lose(await house.node("b", 8));
    await house.task();
    expect(await house.place()).toMatchObject({ tasks: 1 });
    expect(await series()).toMatchObject({
      runner_gpu_total: 2,
      drover_gpu_utilization_ratio: 0.6,
      drover_gpu_allocated_ratio: 0.25,
    });
  });

  it("tell how long the first task with GPUs has waited, whatever its class, until it runs", async () => {
    const node = await house.node("a", 1, { slots: { cpu_long: 1 } });
    await house.task({ placement: { node: "a" } }, { className: "cpu_long" });
    await house.age("tasks", 100);
    expect((await series())["gpu_wait_seconds"]).toBe(0);
    await house.task({ resources: { gpuCount: 1 } }, { className: "cpu_long", priority: 100 });
    await house.age("tasks", 50);
    const waited = (await series())["gpu_wait_seconds"];
    expect(waited).toBeGreaterThanOrEqual(50);
    expect(waited).toBeLessThan(90);
    await house.place();
    await house.claim(node);
    expect((await series())["gpu_wait_seconds"]).toBe(0);
  });
});
