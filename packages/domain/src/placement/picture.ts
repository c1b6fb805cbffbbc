import { hostPortText } from "./host-port.ts";
import type { PlacementGpu, PlacementNode } from "./node.ts";
import type { GpuSlot, PlacementRequest } from "./request.ts";

/** A node as a round of placing sees it: what was read, less what the round has given away. */
export interface NodePicture extends PlacementNode {
  slots: Record<string, number>;
  gpus: GpuPicture[];
  hostPorts: Map<string, string>;
  kinds: Map<string, number>;
  /** Its place among all by name: settles ties. */
  rank: number;
  /** Moves whenever something is taken or given back. */
  version: number;
}

interface GpuPicture extends PlacementGpu {
  takenSlots: number[];
}

/** A node that can run a request, and the slots of its GPUs. */
export interface Choice {
  node: NodePicture;
  slots: GpuSlot[];
}

/** A copy of the nodes that can be drawn on, in the order of their names. */
export function drawPicture(nodes: readonly PlacementNode[]): NodePicture[] {
  const ordered = nodes.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id));
  return ordered.map((node, rank) => ({
    ...node,
    slots: { ...node.slots },
    gpus: node.gpus.map((gpu) => ({ ...gpu, takenSlots: [...gpu.takenSlots] })),
    hostPorts: new Map(node.hostPorts),
    kinds: new Map(node.kinds),
    rank,
    version: 0,
  }));
}

/**
 * Gives a request what it asks of a node; the answer takes it back. Takings are taken back in reverse order, last first.
 */
export function take(node: NodePicture, request: PlacementRequest, slots: readonly GpuSlot[]): () => void {
  const ports = request.ports.flatMap((port) => hostPortText(port) ?? []).filter((port) => !node.hostPorts.has(port));
  const move = (sign: 1 | -1) => {
    node.version++;
    node.cpuUsed += sign * request.cpuMillicores;
    node.memoryUsed += sign * request.memoryBytes;
    node.kinds.set(request.kind, (node.kinds.get(request.kind) ?? 0) + sign);
    if (request.class !== undefined) node.slots[request.class] = (node.slots[request.class] ?? 0) - sign;
    for (const port of ports)
      if (sign === 1) node.hostPorts.set(port, request.name ?? "");
      else node.hostPorts.delete(port);
    for (const { gpuId, slot, memoryMib = 0 } of slots) {
      const gpu = node.gpus.find(({ id }) => id === gpuId);
      if (gpu === undefined) continue;
      gpu.takenMib += sign * memoryMib;
      if (sign === 1) gpu.takenSlots.push(slot);
      else gpu.takenSlots.pop();
    }
  };
  move(1);
  return () => move(-1);
}
