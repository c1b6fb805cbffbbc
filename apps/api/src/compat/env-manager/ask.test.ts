import { Code, ConnectError } from "@connectrpc/connect";
import type { HealthUpdate } from "@drover/proto/env_manager/env_manager";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEnvManagerBench, type EnvManagerBench } from "./testing.ts";

let bench: EnvManagerBench;
/** What the task is about to do. */
let exitCode = 0;

beforeAll(async () => {
  bench = await createEnvManagerBench({
    onTask: () => ({ exitCode, result: { stdoutTail: "done\n", outputsSummary: { loss: 0.5 } } }),
  });
  for await (const _ of bench.client.startServices({ serviceNames: ["redis", "prometheus"], parallel: true }));
});
afterAll(() => bench.close());

async function faultOf(stream: AsyncIterable<unknown>): Promise<ConnectError> {
  try {
    for await (const _ of stream);
  } catch (error) {
    return ConnectError.from(error);
  }
  return expect.unreachable("it should have been refused");
}

describe("StreamHealth", () => {
  it("probes at once and every interval, until its client leaves", async () => {
    let probes = 0;
    bench.answer((request) => {
      if (request.kind !== "probe") return [];
      probes += 1;
      const isHealthy = probes === 1;
      return [
        {
          probes: request.spec.replicaIds.map((replicaId) => ({
            replicaId,
            isHealthy,
            message: isHealthy ? "PONG" : "Connection refused.",
            details: { probe: "redis" },
          })),
        },
      ];
    });
    const seen: HealthUpdate[] = [];
    const startedAt = performance.now();
    for await (const update of bench.client.streamHealth({ serviceNames: ["redis"], intervalSeconds: 0 })) {
      seen.push(update);
      if (seen.length === 2) break;
    }
    expect(performance.now() - startedAt).toBeGreaterThan(800);
    expect(seen).toMatchObject([
      { serviceName: "redis", healthy: true, message: "PONG", details: { probe: "redis", node: "test-node" } },
      { serviceName: "redis", healthy: false, message: "Connection refused." },
    ]);
    expect(Math.abs(Number(seen[0]?.timestamp) - Date.now() / 1000)).toBeLessThan(10);
  });

  it("calls unhealthy what is stopped, with the reason", async () => {
    for await (const update of bench.client.streamHealth({ serviceNames: ["ollama"], intervalSeconds: 1 })) {
      expect(update).toMatchObject({ serviceName: "ollama", healthy: false });
      expect(update.message).toBe("It is stopped.");
      break;
    }
  });
});

describe("StreamLogs", () => {
  it("sends the lines of a service with the engine's own time", async () => {
    bench.answer((request) => {
      if (request.kind !== "logs") return [];
      expect(request.spec).toMatchObject({ follow: false, tail: 2, sinceSeconds: 1_767_323_000 });
      return [
        {
          containerId: "c1",
          lines: [
            ["stdout", "2026-01-02T03:04:05.123456789Z", "Ready to accept connections"],
            ["stderr", "2026-01-02T03:04:06.000000000Z", "WARNING overcommit"],
          ],
        },
        { containerId: "c1", lines: [] },
      ];
    });
    const lines = [];
    const request = { serviceName: "redis", tail: 2, sinceTimestamp: 1_767_323_000n };
    for await (const line of bench.client.streamLogs(request)) lines.push(line);
    expect(lines).toMatchObject([
      {
        serviceName: "redis",
        containerId: "c1",
        stream: "stdout",
        message: "Ready to accept connections",
        timestamp: 1_767_323_045n,
      },
      { stream: "stderr", message: "WARNING overcommit", timestamp: 1_767_323_046n },
    ]);
  });

  it("takes a time beyond all times for the last one", async () => {
    bench.answer((request) => {
      expect(request.spec).toMatchObject({ sinceSeconds: 253_402_300_799 });
      return [{ containerId: "c1", lines: [] }];
    });
    const request = { serviceName: "redis", sinceTimestamp: 2n ** 63n - 1n };
    for await (const _ of bench.client.streamLogs(request)) expect.unreachable("there is no line of the year 9999");
  });

  it.each([
    ["", Code.InvalidArgument],
    ["nobody", Code.NotFound],
  ])("refuses %j", async (serviceName, code) => {
    expect((await faultOf(bench.client.streamLogs({ serviceName }))).code).toBe(code);
  });

  it("does not find the log of what has no container", async () => {
    bench.answer(() => [{ error: "There is no container of it on its node.", reason: "not_found" }]);
    expect((await faultOf(bench.client.streamLogs({ serviceName: "prometheus" }))).code).toBe(Code.NotFound);
  });
});

describe("PullImages", () => {
  it.each(["../x", "", "a/../../x", "NOPE"])("refuses %j, which names no image", async (image) => {
    const { code, message } = await faultOf(bench.client.pullImages({ imageNames: [image] }));
    expect([code, message]).toEqual([Code.InvalidArgument, expect.stringContaining("Expected images such as")]);
  });

  it("tells the bytes and the end of each image; without names, of those of all required services", async () => {
    bench.answer((request) => {
      if (request.kind !== "pull") return [];
      const images = request.spec.images;
      const pull = (image: string, status: "downloading" | "complete" | "error", current: number, percent: number) => ({
        pull: { image, status, current, total: 200, percent },
      });
      return [
        pull(images[0] ?? "", "downloading", 50, 25),
        ...images.map((image) => pull(image, image.startsWith("redis") ? "complete" : "error", 200, 100)),
      ];
    });
    const seen = [];
    for await (const progress of bench.client.pullImages({})) seen.push(progress);
    expect(seen).toMatchObject([
      { imageName: "redis:7-alpine", status: "downloading", current: 50n, total: 200n, progressPercent: 25 },
      { imageName: "redis:7-alpine", status: "complete", current: 200n, total: 200n, progressPercent: 100 },
      { imageName: "dspy-lightweight:latest", status: "error" },
    ]);
  });
});

describe("GetResourceAvailability", () => {
  it("counts the slots and the hardware of the fleet", async () => {
    expect(await bench.client.getResourceAvailability({ workloadClass: "cpu_short" })).toMatchObject({
      available: true,
      capacity: 4,
      inUse: 0,
      hardware: { cpuCores: 64, memoryBytes: 256n << 30n, gpus: [] },
    });
    const none = await bench.client.getResourceAvailability({ workloadClass: "cpu_long" });
    expect(none).toMatchObject({ available: false, capacity: 0 });
    await expect(bench.client.getResourceAvailability({ workloadClass: "quantum" })).rejects.toThrow("quantum");
  });
});

describe("ExecuteTask", () => {
  const payload = { execution: "{'image': 'busybox', 'command': ['train']}", tenant: "lab" };

  it("runs a task through the queue and answers with what it left", async () => {
    exitCode = 0;
    const answer = await bench.client.executeTask({ taskId: "train-1", workloadClass: "cpu_short", payload });
    expect(answer).toMatchObject({ success: true, error: "", result: { class: "cpu_short" } });
    expect(answer.latencyMs).toBeGreaterThan(0);
    const metadata = JSON.parse(answer.result["metadata"] ?? "") as Record<string, unknown>;
    expect(metadata).toMatchObject({ tenant: "lab", exit_code: 0, outputs_summary: { loss: 0.5 } });
  });

  it("answers a failure, and a refusal, in its message", async () => {
    exitCode = 3;
    const patient = { payload, timeoutSeconds: 2_147_483_647 };
    expect(await bench.client.executeTask(patient)).toMatchObject({ success: false, error: "exit 3" });
    expect(await bench.client.executeTask({ payload })).toMatchObject({ success: false, error: "exit 3" });
    const refused = await bench.client.executeTask({ workloadClass: "quantum", payload });
    expect(refused.success).toBe(false);
    expect(refused.error).toContain("quantum");
  });

  it("tells who names a type that no worker serves it", async () => {
    const untyped = await bench.client.executeTask({ payload: { n: "1" } });
    expect(untyped).toMatchObject({ success: false, error: "payload.execution section is required" });
    expect((await bench.client.executeTask({ payload: { task_type: "resize" } })).error).toBe(
      "payload.execution section is required: no worker serves task_type resize; start one, or say in payload.execution how to run it",
    );
  });

  it("cancels what takes longer than it may", async () => {
    const answer = await bench.client.executeTask({
      taskId: "slow",
      workloadClass: "cpu_long",
      payload,
      timeoutSeconds: 1,
    });
    expect(answer).toMatchObject({ success: false, error: "Task slow did not end within 1 s and was cancelled." });
    expect(answer.latencyMs).toBeGreaterThan(900);
  });
});
