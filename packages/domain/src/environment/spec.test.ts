import { describe, expect, it } from "vitest";
import type { Declaration, Service } from "./declaration.ts";
import { containerText, placementText, replicaSpec } from "./spec.ts";
import { declare, environmentOf } from "./testing-service.ts";

const specOf = (said: Partial<Service> = {}, whole: Partial<Declaration> = {}) =>
  replicaSpec(environmentOf([], whole), declare("web", said));

const text = (said?: Partial<Service>, whole?: Partial<Declaration>) => containerText(specOf(said, whole));
const place = (said?: Partial<Service>) => placementText(specOf(said));

describe("a spec", () => {
  it("has what its service uses of the environment, and the labels of both", () => {
    const spec = specOf(
      {
        networks: ["front"],
        mounts: [{ kind: "volume", volume: "data", mountPath: "/data", isReadOnly: false }],
        labels: { team: "web" },
      },
      {
        networks: [{ name: "front", isInternal: true }, { name: "back" }],
        volumes: [{ name: "data" }, { name: "other" }],
        labels: { team: "all", stage: "test" },
      },
    );
    expect(spec.networks).toEqual([{ name: "front", isInternal: true }]);
    expect(spec.volumes).toEqual([{ name: "data" }]);
    expect(spec.service.labels).toEqual({ team: "web", stage: "test" });
  });
});

describe("what a container is made from", () => {
  it.each<[string, Partial<Service>]>([
    ["image", { image: "web:2" }],
    ["command", { command: ["run"] }],
    ["entrypoint", { entrypoint: ["/bin/sh"] }],
    ["env", { env: { A: "1" } }],
    ["a secret", { env: { A: { secret: "a" } } }],
    ["ports", { ports: [{ containerPort: 80, hostIp: "127.0.0.1", protocol: "tcp" }] }],
    ["mounts", { mounts: [{ kind: "tmpfs", mountPath: "/tmp" }] }],
    ["networks", { networks: ["other"] }],
    ["memory", { resources: { memoryBytes: 1024 } }],
    ["gpus", { resources: { gpus: { count: 1, share: "whole" } } }],
    ["user", { user: "1000" }],
    ["workingDir", { workingDir: "/srv" }],
    ["readOnlyRoot", { isReadOnlyRoot: true }],
    ["labels", { labels: { a: "b" } }],
  ])("changes with %s", (_, said) => {
    expect(text(said)).not.toBe(text());
  });

  it.each<[string, Partial<Service>]>([
    ["replicas", { replicas: 3 }],
    ["update", { update: { maxUnavailable: 2, healthySeconds: 1, onFailure: "rollback" } }],
    [
      "placement",
      { placement: { labels: { disk: "fast" }, notLabels: {}, tolerates: [], strategy: "spread", models: [] } },
    ],
    ["required", { isRequired: false }],
    ["dependsOn", { dependsOn: ["db"] }],
    ["restart", { restart: { when: "never", baseDelaySeconds: 1, maxDelaySeconds: 2 } }],
    ["pull", { pull: "always" }],
    ["stopGrace", { stopGraceSeconds: 60 }],
    ["onDisconnect", { onDisconnect: { kind: "replace" } }],
    [
      "health",
      {
        health: {
          probe: { kind: "tcp", port: 80 },
          intervalSeconds: 1,
          timeoutSeconds: 1,
          retries: 1,
          startSeconds: 1,
        },
      },
    ],
  ])("does not change with %s", (_, said) => {
    expect(text(said)).toBe(text());
  });

  it("changes with a network's kind and the order of networks, not with the order in which either is declared", () => {
    const both = { networks: [{ name: "a" }, { name: "b" }] };
    const said = { networks: ["a", "b"] };
    expect(text(said, { networks: both.networks.toReversed() })).toBe(text(said, both));
    expect(text({ networks: ["b", "a"] }, both)).not.toBe(text(said, both));
    expect(text(said, { networks: [{ name: "a", isInternal: true }, { name: "b" }] })).not.toBe(text(said, both));
    expect(text({ env: { A: "1", B: "2" } })).toBe(text({ env: { B: "2", A: "1" } }));
  });
});

describe("what a place is chosen by", () => {
  const { placement } = declare("web");
  it("is resources, host ports and what a node must be; preferences are not", () => {
    expect(place({ placement: { ...placement, node: "a" } })).not.toBe(place());
    expect(place({ placement: { ...placement, notLabels: { a: "b" } } })).not.toBe(place());
    expect(place({ resources: { cpuMillicores: 500 } })).not.toBe(place());
    expect(place({ ports: [{ containerPort: 80, hostPort: 80, hostIp: "127.0.0.1", protocol: "tcp" }] })).not.toBe(
      place(),
    );
    expect(place({ ports: [{ containerPort: 80, hostIp: "127.0.0.1", protocol: "tcp" }] })).toBe(place());
    expect(place({ placement: { ...placement, strategy: "spread", models: ["m"] } })).toBe(place());
    expect(place({ image: "web:2", resources: { pids: 10 } })).toBe(place());
  });
});
