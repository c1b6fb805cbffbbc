import { join } from "node:path";
import type { NodeReply, NodeRequest } from "@drover/db/node/replica";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runPythonClient, whyNoPythonClient } from "../../testing-python.ts";
import { createEnvManagerBench, type EnvManagerBench } from "./testing.ts";

let bench: EnvManagerBench;

beforeAll(async () => {
  bench = await createEnvManagerBench({ onTask: () => ({ exitCode: 0 }) });
  bench.answer(answer);
  bench.behave("prometheus", () => ({ state: "failed", message: "There is no such image." }));
});
afterAll(() => bench.close());

function answer({ kind, spec }: NodeRequest): NodeReply[] {
  switch (kind) {
    case "logs":
      return [
        { containerId: "c1", lines: [["stdout", "2026-01-02T03:04:05.5Z", "Ready"]] },
        { containerId: "c1", lines: [] },
      ];
    case "probe":
      return [
        { probes: spec.replicaIds.map((replicaId) => ({ replicaId, isHealthy: true, message: "PONG", details: {} })) },
      ];
    case "pull":
      return spec.images.map((image) => ({
        pull: { image, status: "complete" as const, current: 10, total: 10, percent: 100 },
      }));
    case "usage":
      return [{ usage: [] }];
  }
}

it("serves Python clients as they are", { timeout: 60_000 }, async ({ skip }) => {
  const lack = await whyNoPythonClient();
  if (lack !== undefined) skip(lack);
  const said = (await runPythonClient({
    script: join(import.meta.dirname, "client.py"),
    contract: "env_manager/v1/env_manager.proto",
    address: await bench.serve(),
  })) as { started: { updates: unknown[]; end: string } };
  expect(said.started.end).toBe("OK");
  expect(said.started.updates.slice(0, 2)).toEqual([
    ["redis", "starting", 0],
    ["redb", "starting", 0],
  ]);
  expect(said.started.updates.slice(-2)).toEqual(
    expect.arrayContaining([
      ["redis", "running", 100],
      ["redb", "running", 100],
    ]),
  );
  expect(said).toMatchObject({
    status: { redis: "running", redb: "running", kafka: "stopped", "infermesh-router": "stopped" },
    one: ["redis", "running", [6379], { redis: "healthy" }, 1_767_323_045],
    health: [
      ["redis", true, "PONG"],
      ["redis", true, "PONG"],
    ],
    room: [true, 4, 0, 64],
    task: [true, "", ["class", "latency_ms", "metadata"], true],
    pulls: [["redis:7-alpine", "complete", 100]],
    logs: [["stdout", "Ready", 1_767_323_045]],
    unnamed: "INVALID_ARGUMENT",
    restarted: [true, false, "service nobody not found"],
    stopped: [true, { all: "stopped" }],
    unknown: ["NOT_FOUND", expect.stringContaining("service nobody not found")],
    failed: {
      end: "FAILED_PRECONDITION",
      details: expect.stringContaining("prometheus: There is no such image."),
      updates: expect.arrayContaining([["prometheus", "failed", 100]]),
    },
  });
});
