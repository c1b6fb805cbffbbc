import { describe, expect, it, onTestFinished } from "vitest";
import { findTestEngine } from "../docker/testing.ts";
import { checkBy, clearNode, startTestAgent, uniqueName, wantReplica } from "./testing.ts";
import { ensureRedisImage, redisImage, whyNoRedis } from "./testing-redis.ts";

const found = await findTestEngine();
const missing = found.missing ?? whyNoRedis();

describe.skipIf(missing !== undefined)(`a real Redis as a service ${missing ?? ""}`, () => {
  it("is healthy by its PING, keeps its volume, and is back after a kill", async () => {
    if (found.missing !== undefined) throw new Error(found.missing);
    await ensureRedisImage(found.docker);
    const holder = uniqueName("node");
    onTestFinished(() => clearNode(found.host, holder));
    const { reconciler, said } = await startTestAgent({ host: found.host, holder });
    const redis = wantReplica({
      environment: uniqueName("env"),
      service: "redis",
      volumes: [{ name: "data" }],
      spec: {
        image: redisImage,
        command: ["/usr/bin/redis-server", "--dir", "/data", "--protected-mode", "no", "--save", ""],
        mounts: [{ kind: "volume", volume: "data", mountPath: "/data", isReadOnly: false }],
        ports: [{ containerPort: 6379, hostIp: "127.0.0.1", protocol: "tcp" }],
        health: checkBy({ kind: "redis", port: 6379 }),
      },
    });
    reconciler.desire([redis]);
    await expect.poll(() => said(redis)).toMatchObject({ state: "running", isHealthy: true });
    const { containerId = "", ports } = said(redis) ?? {};
    expect(ports).toMatchObject([{ containerPort: 6379, hostIp: "127.0.0.1", protocol: "tcp" }]);
    await found.docker.getContainer(containerId).kill();
    await expect.poll(() => said(redis)).toMatchObject({ state: "running", restarts: 1, containerId });
  });
});
