import type { Constraints } from "../environment/declaration.ts";
import type { PlacementGpu, PlacementNode } from "./node.ts";
import type { PlacementRequest } from "./request.ts";

/** A ready node with 8 CPUs, 32 GiB and four slots of class gpu, but as told. */
export function testNode(id: number, differences: Partial<PlacementNode> = {}): PlacementNode {
  return {
    id,
    name: `node-${id}`,
    state: "ready",
    isCordoned: false,
    labels: {},
    taints: [],
    executors: ["docker"],
    slots: { gpu: 4 },
    cpuMillicores: 8000,
    cpuUsed: 0,
    memoryBytes: 32 * 2 ** 30,
    memoryUsed: 0,
    gpus: [],
    images: new Set(),
    models: new Set(),
    hostPorts: new Map(),
    ...differences,
  };
}

/** A free whole H100 of 80 GiB, but as told. */
export function testGpu(id: number, differences: Partial<PlacementGpu> = {}): PlacementGpu {
  return {
    id,
    uuid: `GPU-${id}`,
    kind: "whole",
    model: "NVIDIA H100 80GB HBM3",
    memoryMib: 81_920,
    slotCount: 1,
    takenSlots: [],
    takenMib: 0,
    isUsable: true,
    ...differences,
  };
}

/** A request for a container that asks for nothing, but as told. */
export function testRequest(
  differences: Omit<Partial<PlacementRequest>, "constraints"> & { constraints?: Partial<Constraints> } = {},
): PlacementRequest {
  const { constraints, ...rest } = differences;
  return {
    kind: "test",
    executor: "docker",
    cpuMillicores: 0,
    memoryBytes: 0,
    ports: [],
    ...rest,
    constraints: { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [], ...constraints },
  };
}
