import { describe, expect, it } from "vitest";
import { isPlacedQueue, mustBePlaced, queueTypeOf, taskRequest } from "./placed-task.ts";

const command = ["true"];

describe("queueTypeOf", () => {
  it("sends tasks with GPUs, constraints or a gang to queues that are placed, and no others", () => {
    const placed = [
      { command, resources: { gpuCount: 1 } },
      { command, gang: { name: "ddp", size: 2 } },
      { command, placement: { node: "gpu-01" } },
      { command, placement: { strategy: "spread" as const } },
      { command, placement: { models: ["llama"] } },
    ];
    for (const execution of placed) expect(queueTypeOf("docker", "", execution)).toBe("placed");
    const free = [{ command }, { command, resources: { cpuMillicores: 500 } }, { command, placement: { labels: {} } }];
    for (const execution of free) expect(queueTypeOf("process", "", execution)).toBe("");
  });

  it("keeps the types of handlers and providers, whatever they are called", () => {
    expect(queueTypeOf("worker", "placed", undefined)).toBe("placed");
    expect(isPlacedQueue("worker", "placed")).toBe(false);
    expect(isPlacedQueue("process", "placed")).toBe(true);
  });
});

describe("taskRequest", () => {
  it("asks for what the execution asks for, with the memory of GPUs as they are sold", () => {
    const resources = { gpuCount: 2, gpuModel: "H100", gpuMemoryGb: 80, cpuMillicores: 1000, memoryBytes: 1024 };
    const request = taskRequest({ image: "trainer", resources }, { executor: "docker", className: "gpu" });
    expect(request).toMatchObject({
      class: "gpu",
      image: "trainer",
      cpuMillicores: 1000,
      memoryBytes: 1024,
      gpus: { count: 2, share: "whole", model: "H100", memoryMib: 76_293 },
    });
  });

  it("asks for no GPUs where none are asked for", () => {
    expect(mustBePlaced({ command, resources: { gpuCount: 0 } })).toBe(false);
    const request = taskRequest(
      { placement: { labels: { zone: "a" } } },
      { executor: "process", className: "cpu_short" },
    );
    expect(request.gpus).toBeUndefined();
    expect(request.constraints).toMatchObject({ labels: { zone: "a" }, strategy: "binpack" });
  });

  it("counts the members of a gang as one kind", () => {
    const kindOf = (gang: { name: string; size: number } | undefined) =>
      taskRequest(gang === undefined ? {} : { gang }, { executor: "docker", className: "gpu" }).kind;
    expect(kindOf({ name: "a", size: 2 })).toBe(kindOf({ name: "a", size: 2 }));
    expect(kindOf({ name: "a", size: 2 })).not.toBe(kindOf({ name: "b", size: 2 }));
  });
});
