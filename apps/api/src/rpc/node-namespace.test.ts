import { createClient } from "@connectrpc/connect";
import { inventory } from "@drover/db/node/inventory";
import { register } from "@drover/db/node/register";
import { EnvManagerService } from "@drover/proto/env_manager/env_manager";
import { NamespaceService } from "@drover/proto/drover/namespace";
import { GpuState } from "@drover/proto/drover/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestFleet, type TestFleet, type TestNode } from "./testing-node.ts";

let fleet: TestFleet;
let node: TestNode;
beforeAll(async () => {
  fleet = await createTestFleet();
  await createClient(NamespaceService, fleet.api.transport).createNamespace({ name: "team" });
  node = await fleet.join("gpu-1", { zone: "a" });
  const gpu = { uuid: "GPU-a", kind: "whole", vendor: "nvidia", model: "H100", memoryMib: 81920 } as const;
  await inventory(node.db, node, {
    gpus: [{ ...gpu, number: 0, slotCount: 1, isUsable: true }],
    images: [],
    models: [],
  });
});
afterAll(() => fleet.close());

const inTeam = { headers: { "drover-namespace": "team" } };

describe("a fleet, seen from another namespace than the one that its nodes were made in", () => {
  it("is the same fleet", async () => {
    const { nodes } = await fleet.nodes.listNodes({}, inTeam);
    expect(nodes).toMatchObject([{ name: "gpu-1", labels: { zone: "a" }, gpus: [{ uuid: "GPU-a" }] }]);
    expect((await fleet.nodes.getNode({ name: "gpu-1" }, inTeam)).node?.gpus).toHaveLength(1);
    expect((await fleet.nodes.listGpus({}, inTeam)).gpus).toMatchObject([{ node: "gpu-1", uuid: "GPU-a" }]);
    const manager = createClient(EnvManagerService, fleet.api.transport);
    const room = await manager.getResourceAvailability({ workloadClass: "cpu_short" }, inTeam);
    expect(room).toMatchObject({ available: true, capacity: 4, hardware: { gpus: [{ name: "H100" }] } });
  });

  it("is operated on as well", async () => {
    const name = "gpu-1";
    expect((await fleet.nodes.cordonNode({ name, reason: "fan" }, inTeam)).node?.isCordoned).toBe(true);
    expect((await fleet.nodes.uncordonNode({ name }, inTeam)).node?.isCordoned).toBe(false);
    expect((await fleet.nodes.updateNode({ name, setLabels: { zone: "b" } }, inTeam)).node?.labels).toEqual({
      zone: "b",
    });
    expect((await fleet.nodes.cordonGpu({ uuid: "GPU-a" }, inTeam)).gpu?.state).toBe(GpuState.CORDONED);
    expect((await fleet.nodes.uncordonGpu({ uuid: "GPU-a" }, inTeam)).gpu?.state).toBe(GpuState.READY);
    expect((await fleet.nodes.drainNode({ name, planOnly: true }, inTeam)).node?.name).toBe("gpu-1");
  });

  it("has one node of a name, from whichever namespace it joins or starts", async () => {
    const { token } = await fleet.nodes.createJoinToken({}, inTeam);
    await expect(fleet.nodes.join({ token, name: "gpu-1" })).rejects.toThrow('There is a node "gpu-1" already');
    expect((await fleet.nodes.join({ token, name: "gpu-2" })).node?.name).toBe("gpu-2");
    expect((await fleet.nodes.listJoinTokens({})).tokens[0]).toMatchObject({ usedBy: "gpu-2" });
    const facts = { executors: [], taskTypes: [], classes: null, slots: {}, facts: {}, version: "" };
    const life = await register(fleet.api.db, { kind: "node", name: "gpu-1", namespace: "team", ...facts });
    expect(life.holderId).toBe(node.holderId);
    expect((await fleet.nodes.listNodes({}, inTeam)).nodes.map((one) => one.name)).toEqual(["gpu-1", "gpu-2"]);
  });

  it("is refused to a namespace that is not there", async () => {
    const nowhere = { headers: { "drover-namespace": "taem" } };
    await expect(fleet.nodes.listNodes({}, nowhere)).rejects.toThrow('Namespace "taem" does not exist');
    await expect(fleet.nodes.getNode({ name: "gpu-1" }, nowhere)).rejects.toThrow('Namespace "taem" does not exist');
  });
});
