import { describe, expect, it } from "vitest";
import { planContainer } from "./container.ts";
import { containerName, resourceName } from "./name.ts";
import { wantReplica, type WantOptions } from "./testing.ts";

const rules = { holder: "node-1", allowedHostPaths: [], taskBase: "/var/lib/drover/task" };

async function plan(options: WantOptions, rest: object = {}) {
  const made = await planContainer(wantReplica(options), { ...rules, ...rest });
  if (!made.ok) throw new Error(made.message);
  return made.options;
}

describe("names", () => {
  it("of containers carry the environment, the service and the number, and the namespace where it is not the default", () => {
    const replica = { namespace: "default", environment: "shop", service: "web", number: 2 };
    expect(containerName(replica)).toBe("drover_shop_web_2");
    expect(containerName({ ...replica, namespace: "team" })).toBe("drover_team.shop_web_2");
  });

  it.each([
    ["default", "shop", { name: "front" }, "shop_front"],
    ["team", "shop", { name: "front" }, "team.shop_front"],
    ["default", "shop", { name: "office", isExternal: true }, "office"],
    ["default", "lightweight", { name: "lightweight_default" }, "lightweight_default"],
  ])("of networks and volumes in %s/%s from %j are %s", (namespace, environment, declared, name) => {
    expect(resourceName({ namespace, environment }, declared)).toBe(name);
  });
});

describe("a container", () => {
  it("is confined, and is restarted by nobody but the agent", async () => {
    const { HostConfig: host, Labels: labels } = await plan({ environment: "shop", spec: { labels: { team: "a" } } });
    expect(host).toMatchObject({
      Privileged: false,
      SecurityOpt: ["no-new-privileges"],
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "local" },
      NetworkMode: "shop_default",
    });
    expect(host?.CapDrop).toContain("NET_RAW");
    expect(host?.CapDrop).not.toContain("SETUID");
    expect(labels).toMatchObject({
      team: "a",
      "drover.holder": "node-1",
      "drover.environment": "shop",
      "drover.service": "web",
      "drover.spec_hash": "hash-1",
      "drover.round": "0",
    });
    expect(labels).not.toHaveProperty("drover.stop_after_seconds");
  });

  it("cannot pass for another by labels of its own", async () => {
    const { Labels: labels } = await plan({ id: "7", spec: { labels: { "drover.replica": "8" } } });
    expect(labels?.["drover.replica"]).toBe("7");
  });

  it("publishes ports where they are declared, and leaves the others to the engine", async () => {
    const { HostConfig: host } = await plan({
      spec: {
        ports: [
          { containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1", protocol: "tcp" },
          { containerPort: 80, hostIp: "0.0.0.0", protocol: "tcp" },
        ],
      },
    });
    expect(host?.PortBindings).toEqual({
      "80/tcp": [
        { HostIp: "127.0.0.1", HostPort: "8080" },
        { HostIp: "0.0.0.0", HostPort: "" },
      ],
    });
  });

  it("gets exactly its GPUs, told by their UUIDs; without any, those of the host are hidden from it", async () => {
    const gpu = {
      uuid: "GPU-1",
      vendor: "nvidia" as const,
      number: 0,
      kind: "shared" as const,
      slot: 0,
      memoryMib: 4096,
    };
    const made = await plan(
      { gpus: [gpu] },
      { describeGpu: () => ({ deviceNodes: ["/dev/nvidia0"], memoryMib: 80_000 }) },
    );
    expect(made.HostConfig?.DeviceRequests).toMatchObject([{ DeviceIDs: ["GPU-1"] }]);
    expect(made.HostConfig?.Devices).toMatchObject([{ PathOnHost: "/dev/nvidia0" }]);
    expect(made.Labels?.["drover.gpus"]).toBe("GPU-1");
    expect(made.Env).toContain("DROVER_GPU_MEMORY_MIB=4096");
    expect((await plan({}, { hasGpus: () => true })).Env).toEqual(["NVIDIA_VISIBLE_DEVICES=void"]);
    expect((await plan({})).Env).toEqual([]);
  });
});
