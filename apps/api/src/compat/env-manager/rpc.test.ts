import { Code, ConnectError } from "@connectrpc/connect";
import type { ServiceStatusUpdate } from "@drover/proto/env_manager/env_manager";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createEnvManagerBench, type EnvManagerBench } from "./testing.ts";

let bench: EnvManagerBench;

beforeAll(async () => {
  bench = await createEnvManagerBench();
});
afterEach(async () => {
  for (const name of all) bench.behave(name);
  await bench.client.stopServices({});
});
afterAll(() => bench.close());

const all = [
  "redis",
  "redb",
  "ollama",
  "infermesh-node-a",
  "infermesh-node-b",
  "infermesh-router",
  "zookeeper",
  "kafka",
  "prometheus",
];

type Start = Parameters<EnvManagerBench["client"]["startServices"]>[0];

/** What a client is told of a start, and how it ends. */
async function start(request: Start): Promise<{ updates: ServiceStatusUpdate[]; fault?: ConnectError }> {
  const updates: ServiceStatusUpdate[] = [];
  try {
    for await (const update of bench.client.startServices(request)) updates.push(update);
    return { updates };
  } catch (error) {
    return { updates, fault: ConnectError.from(error) };
  }
}

const faces = (updates: readonly ServiceStatusUpdate[]) =>
  updates.map(({ serviceName, status, progress }) => `${serviceName} ${status} ${progress}`);
const ends = (updates: readonly ServiceStatusUpdate[]) => faces(updates.filter(({ progress }) => progress === 100));

describe("StartServices", () => {
  it("says of every service that it starts, then how each ended, and ends well", async () => {
    const { updates, fault } = await start({ parallel: true });
    expect(fault).toBeUndefined();
    expect(faces(updates).slice(0, 9).toSorted()).toEqual(all.map((name) => `${name} starting 0`).toSorted());
    expect(ends(updates).toSorted()).toEqual(all.map((name) => `${name} running 100`).toSorted());
  });

  it("pulls in what a service depends on, and knows the guide's name of redb", async () => {
    const { updates } = await start({ serviceNames: ["infermesh-router", "reddb"], parallel: true });
    const started = ["redb", "redis", "infermesh-node-a", "infermesh-node-b", "infermesh-router"];
    expect(ends(updates).toSorted()).toEqual(started.map((name) => `${name} running 100`).toSorted());
    const { services } = await bench.client.getServicesStatus({});
    expect(Object.values(services).filter(({ status }) => status === "running")).toHaveLength(5);
  });

  it("tells how far a pull is", async () => {
    let turn = 0;
    bench.behave("ollama", () => {
      turn += 1;
      if (turn > 40) return { state: "running" };
      return { state: "starting", message: "Pulls ollama/ollama:latest.", progress: turn > 20 ? 80 : 30 };
    });
    const { updates } = await start({ serviceNames: ["ollama"] });
    expect(faces(updates)).toEqual(
      expect.arrayContaining(["ollama starting 30", "ollama starting 80", "ollama running 100"]),
    );
    expect(updates.find(({ progress }) => progress === 30)?.message).toBe("Pulls ollama/ollama:latest.");
  });

  it("ends with an error where a required service failed, after its update", { timeout: 20_000 }, async () => {
    bench.behave("redb", () => ({ state: "failed", message: "There is no such image." }));
    const { updates, fault } = await start({ serviceNames: ["redb", "ollama"], parallel: true });
    expect(ends(updates).toSorted()).toEqual(["ollama running 100", "redb failed 100"]);
    expect(updates.find(({ status }) => status === "failed")?.message).toContain("There is no such image.");
    expect(fault?.code).toBe(Code.FailedPrecondition);
    expect(fault?.rawMessage).toContain("redb: There is no such image.");
  });

  it("ends well where an optional one failed", { timeout: 20_000 }, async () => {
    bench.behave("ollama", () => ({ state: "failed", message: "There is no such image." }));
    const { updates, fault } = await start({ serviceNames: ["redis", "ollama"], parallel: true });
    expect(ends(updates).toSorted()).toEqual(["ollama failed 100", "redis running 100"]);
    expect(fault).toBeUndefined();
  });

  it(
    "starts one after the other where it is to, and nothing after a required one that failed",
    {
      timeout: 20_000,
    },
    async () => {
      bench.behave("redis", () => ({ state: "failed", message: "No." }));
      const { updates, fault } = await start({ serviceNames: ["infermesh-node-a"], parallel: false });
      expect(ends(updates)).toEqual(["redis failed 100", "infermesh-node-a stopped 100"]);
      expect(fault?.rawMessage).toContain("redis: No.");
      expect(bench.wanted("infermesh-node-a")?.wanted ?? "stopped").toBe("stopped");
    },
  );

  it("applies overrides until their service is stopped, and refuses those that it does not know", async () => {
    const overrides = { "redis.image": "redis:8", "redis.env.MODE": "test", "reddb.required": "false" };
    await start({ serviceNames: ["redis"], overrides });
    expect(bench.wanted("redis")?.spec.service).toMatchObject({ image: "redis:8", env: { MODE: "test" } });
    await start({ serviceNames: ["redis"] });
    expect(bench.wanted("redis")?.spec.service.image).toBe("redis:8");
    await bench.client.stopServices({ serviceNames: ["redis"] });
    await start({ serviceNames: ["redis"] });
    expect(bench.wanted("redis")?.spec.service.image).toBe("redis:7-alpine");

    const { fault } = await start({ overrides: { "redis.imag": "x", "nobody.image": "y" } });
    expect(fault?.code).toBe(Code.InvalidArgument);
    expect(fault?.rawMessage).toMatch(/overrides\["redis.imag"\]: .*Did you mean "image"/);
    expect(fault?.rawMessage).toContain('overrides["nobody.image"]');
  });

  it("refuses a service that is not there, before anything starts", async () => {
    const { updates, fault } = await start({ serviceNames: ["redis", "nobody"] });
    expect([updates, fault?.code]).toEqual([[], Code.NotFound]);
    expect((await bench.client.getServiceStatus({ serviceName: "redis" })).status).toBe("stopped");
  });

  it("leaves services to start whose client has gone", async () => {
    let isUp = false;
    bench.behave("ollama", () => ({ state: isUp ? "running" : "starting" }));
    const left = new AbortController();
    for await (const _ of bench.client.startServices({ serviceNames: ["ollama"] }, { signal: left.signal })) break;
    left.abort();
    isUp = true;
    const status = async () => (await bench.client.getServiceStatus({ serviceName: "ollama" })).status;
    await expect.poll(status).not.toBe("unhealthy");
    const { updates } = await start({ serviceNames: ["ollama"] });
    expect(ends(updates)).toEqual(["ollama running 100"]);
  });
});

describe("StopServices", () => {
  it("answers what became of each, and of all in one word", async () => {
    await start({ serviceNames: ["redis", "ollama"], parallel: true });
    const some = await bench.client.stopServices({ serviceNames: ["ollama", "nobody"], timeoutSeconds: 3 });
    expect(some).toMatchObject({ success: false, serviceResults: { ollama: "stopped", nobody: "not found" } });
    expect(await bench.client.stopServices({})).toMatchObject({ success: true, serviceResults: { all: "stopped" } });
    expect((await bench.client.getServiceStatus({ serviceName: "redis" })).status).toBe("stopped");
  });

  it("hands the time that it is given to the node, without a new container", async () => {
    await start({ serviceNames: ["redis"] });
    const before = bench.wanted("redis");
    await bench.client.stopServices({ serviceNames: ["redis"], timeoutSeconds: 42 });
    expect(bench.wanted("redis")?.spec.service.stopGraceSeconds).toBe(42);
    expect(bench.wanted("redis")).toMatchObject({ specHash: before?.specHash, round: before?.round });
  });
});

describe("RestartService", () => {
  it("says in its answer that a service is not there", async () => {
    const answer = await bench.client.restartService({ serviceName: "nobody" });
    expect(answer).toMatchObject({ success: false, message: "service nobody not found" });
  });

  it("starts one that never ran, and replaces the container of one that does", async () => {
    expect(await bench.client.restartService({ serviceName: "prometheus" })).toMatchObject({ success: true });
    const before = bench.wanted("prometheus")?.round ?? 0;
    expect(await bench.client.restartService({ serviceName: "prometheus" })).toMatchObject({ success: true });
    expect(bench.wanted("prometheus")?.round).toBeGreaterThan(before);
  });
});

describe("statuses", () => {
  it("tell container, ports, checks, start and use, of those that were asked for", async () => {
    bench.answer((request) => {
      if (request.kind !== "usage") return [];
      return [
        {
          usage: request.spec.replicaIds.map((replicaId) => ({
            replicaId,
            cpuPercent: 12.5,
            memoryBytes: 1000,
            networkRxBytes: 20,
            networkTxBytes: 30,
          })),
        },
      ];
    });
    await start({ serviceNames: ["redis"] });
    const { services } = await bench.client.getServicesStatus({ serviceNames: ["redis", "reddb", "nobody"] });
    expect(Object.keys(services).toSorted()).toEqual(["redb", "redis"]);
    expect(services["redis"]).toMatchObject({
      name: "redis",
      status: "running",
      containerId: `container-redis-${bench.wanted("redis")?.id}`,
      ports: [6379],
      healthChecks: { redis: "healthy" },
      startedAt: 1_767_323_045n,
      resourceUsage: { cpuPercent: 12.5, memoryBytes: 1000n, networkRxBytes: 20n, networkTxBytes: 30n },
    });
    expect(services["redb"]).toMatchObject({ status: "stopped", containerId: "", ports: [], healthChecks: {} });
  });

  it("say what a check has found wrong", async () => {
    bench.behave("redb", () => ({ state: "unhealthy", isHealthy: false, message: "GET /health answered 500." }));
    await start({ serviceNames: ["redb"] });
    expect(await bench.client.getServiceStatus({ serviceName: "reddb" })).toMatchObject({
      name: "redb",
      status: "unhealthy",
      healthChecks: { http: "unhealthy: GET /health answered 500." },
    });
  }, 20_000);

  it("refuse one service that is not there, or that is not named", async () => {
    const codeOf = (serviceName: string) =>
      bench.client.getServiceStatus({ serviceName }).then(
        () => undefined,
        (error: unknown) => ConnectError.from(error).code,
      );
    expect([await codeOf("nobody"), await codeOf(" ")]).toEqual([Code.NotFound, Code.InvalidArgument]);
  });
});
