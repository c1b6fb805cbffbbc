import { describe, expect, it } from "vitest";
import type { Service } from "./declaration.ts";
import { isPlanEmpty, planEnvironment } from "./plan.ts";
import { declare, environmentOf } from "./testing-service.ts";

/** The step for a service that was declared one way and is now another. */
function step(before: Partial<Service>, after: Partial<Service>) {
  const [found] = planEnvironment(environmentOf([declare("web", before)]), environmentOf([declare("web", after)]));
  return [found?.action, ...(found?.changes ?? [])];
}

describe("a plan", () => {
  it("goes in the order of starts, with what goes at the end, the other way round", () => {
    const before = environmentOf([declare("old-db"), declare("old-web", { dependsOn: ["old-db"] }), declare("db")]);
    const after = environmentOf([declare("web", { dependsOn: ["db"] }), declare("db"), declare("log")]);
    expect(planEnvironment(before, after).map(({ action, service }) => `${action} ${service}`)).toEqual([
      "keep db",
      "create log",
      "create web",
      "remove old-web",
      "remove old-db",
    ]);
    expect(isPlanEmpty(planEnvironment(after, after))).toBe(true);
    expect(isPlanEmpty(planEnvironment(undefined, after))).toBe(false);
  });

  it("tells new containers, changes without them, and other numbers apart", () => {
    expect(step({ image: "redis:7" }, { image: "redis:8" })).toEqual(["replace", "image: redis:7 -> redis:8"]);
    expect(step({}, { replicas: 3 })).toEqual(["scale", "replicas: 1 -> 3"]);
    expect(step({}, { isRequired: false, replicas: 2 })).toEqual(["update", "required: yes -> no", "replicas: 1 -> 2"]);
    expect(step({ image: "a" }, { image: "b", replicas: 0 })).toEqual(["replace", "image: a -> b", "replicas: 1 -> 0"]);
    expect(step({}, { placement: { ...declare("web").placement, node: "n1" } })).toEqual([
      "replace",
      "node: none -> n1",
    ]);
    expect(step({}, {})).toEqual(["keep"]);
  });

  it("shows secrets by their names only, and values as they are", () => {
    expect(step({ env: { KEY: "old value", GONE: "x" } }, { env: { KEY: { secret: "db-key" }, NEW: "1" } })).toEqual([
      "replace",
      'env.KEY: "old value" -> secret db-key',
      "env.GONE: x -> none",
      "env.NEW: none -> 1",
    ]);
  });

  it("says ports, mounts, probes and amounts as people write them", () => {
    const port = { containerPort: 80, hostIp: "127.0.0.1", protocol: "tcp" } as const;
    const probe = { kind: "http", port: 80, path: "/health", scheme: "http" } as const;
    expect(
      step(
        { ports: [port], resources: { memoryBytes: 512 * 2 ** 20 } },
        {
          ports: [
            { ...port, hostPort: 8080 },
            { ...port, hostIp: "0.0.0.0", hostPort: 53, protocol: "udp" },
          ],
          mounts: [{ kind: "bind", hostPath: "/srv", mountPath: "/data", isReadOnly: true }],
          resources: { memoryBytes: 2 ** 30, cpuMillicores: 1500, gpus: { count: 2, share: "whole", model: "H100" } },
          health: { probe, intervalSeconds: 10, timeoutSeconds: 2, retries: 3, startSeconds: 60 },
        },
      ),
    ).toEqual([
      "replace",
      "ports: 80 -> 8080:80, 0.0.0.0:53:80/udp",
      "memory: 512Mi -> 1Gi",
      "mounts: none -> /srv:/data:ro",
      "health: none -> http 80/health every 10 s, within 2 s, 3 retries, 60 s to start",
      "cpu: none -> 1.5",
      "gpus: none -> count=2 share=whole model=H100",
    ]);
  });

  it("shows what changed for all services at each of them, and what concerns none without a name", () => {
    const steps = planEnvironment(
      environmentOf([declare("web")]),
      environmentOf([declare("web")], {
        labels: { stage: "test" },
        isTogether: false,
        networks: [{ name: "default", isInternal: true }],
      }),
    );
    expect(steps).toEqual([
      { action: "update", service: "", changes: ["together: yes -> no, for replicas that are placed from now on"] },
      {
        action: "replace",
        service: "web",
        changes: ["networks: default -> default (internal)", "labels: none -> stage=test"],
      },
    ]);
  });
});
