import type { GpuRequest } from "../environment/declaration.ts";
import type { PlacementGpu, PlacementNode } from "./node.ts";
import type { Placement, PlacementRequest } from "./request.ts";

// A second, slow opinion: it keeps no picture, but counts anew from the nodes and from all that was placed.

/** A request and where it went. */
export interface Placed {
  request: PlacementRequest;
  placement: Placement;
}

/** Whether a node has room, given what was placed before. */
export function canRun(node: PlacementNode, placed: Placed[], request: PlacementRequest): boolean {
  const here = placed.filter(({ placement }) => placement.nodeId === node.id);
  const { constraints: rules, gpus } = request;
  const used = (amount: (request: PlacementRequest) => number) =>
    here.reduce((sum, each) => sum + amount(each.request), 0);
  const cpuLeft = node.cpuMillicores - node.cpuUsed - used((each) => each.cpuMillicores);
  const memoryLeft = node.memoryBytes - node.memoryUsed - used((each) => each.memoryBytes);
  const slotsLeft =
    request.class === undefined
      ? 1
      : (node.slots[request.class] ?? 0) - used((each) => Number(each.class === request.class));
  const taken = [...node.hostPorts.keys(), ...here.flatMap((each) => portsOf(each.request))];
  return (
    node.state === "ready" &&
    !node.isCordoned &&
    (rules.node ?? node.name) === node.name &&
    Object.entries(rules.labels).every(
      ([key, value]) => key in node.labels && (value === "" || node.labels[key] === value),
    ) &&
    !Object.entries(rules.notLabels).some(
      ([key, value]) => key in node.labels && (value === "" || node.labels[key] === value),
    ) &&
    node.taints.every((taint) => rules.tolerates.some((each) => each === "*" || each === taint)) &&
    node.executors.includes(request.executor) &&
    slotsLeft > 0 &&
    (request.cpuMillicores === 0 || cpuLeft >= request.cpuMillicores) &&
    (request.memoryBytes === 0 || memoryLeft >= request.memoryBytes) &&
    !portsOf(request).some((port) => taken.some((other) => collide(port, other))) &&
    (gpus === undefined || node.gpus.filter((gpu) => canGive(node, gpu, here, gpus)).length >= gpus.count)
  );
}

function canGive(node: PlacementNode, gpu: PlacementGpu, here: Placed[], asked: GpuRequest): boolean {
  const given = here.flatMap(({ placement }) => placement.gpus).filter(({ gpuId }) => gpuId === gpu.id);
  const taken = new Set([...gpu.takenSlots, ...given.map(({ slot }) => slot)]);
  const mibLeft = gpu.memoryMib - gpu.takenMib - given.reduce((sum, slot) => sum + (slot.memoryMib ?? 0), 0);
  const includes = (text: string, part: string) => text.toUpperCase().includes(part.toUpperCase());
  const label = node.labels["gpu-class"];
  if (!gpu.isUsable || (asked.model !== undefined && !includes(gpu.model, asked.model))) return false;
  if (asked.class !== undefined && !(label === undefined ? includes(gpu.model, asked.class) : label === asked.class))
    return false;
  if (asked.profile !== undefined && asked.profile !== gpu.profile) return false;
  if ((asked.memoryMib ?? 0) > gpu.memoryMib) return false;
  const slots = Array.from({ length: gpu.slotCount }, (_, slot) => slot);
  if (asked.share === "shared") {
    return gpu.kind === "shared" && mibLeft >= (asked.memoryMib ?? 0) && slots.some((slot) => !taken.has(slot));
  }
  return (asked.share === "mig") === (gpu.kind === "mig") && taken.size === 0 && mibLeft === gpu.memoryMib;
}

/** The host ports that a request takes. */
export function portsOf({ ports }: PlacementRequest): string[] {
  return ports.map(({ hostIp, hostPort, protocol }) => `${hostIp}:${hostPort}/${protocol}`);
}

/** Whether two ports of a host cannot be bound at once. */
export function collide(a: string, b: string): boolean {
  const [ipA, ipB] = [a, b].map((text) => text.slice(0, text.lastIndexOf(":")));
  const [restA, restB] = [a, b].map((text) => text.slice(text.lastIndexOf(":")));
  return restA === restB && (ipA === ipB || [ipA, ipB].includes("0.0.0.0") || [ipA, ipB].includes("::"));
}
