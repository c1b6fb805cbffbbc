import { createPlacer, type Placer } from "./choose.ts";
import { rejectionOf } from "./fit.ts";
import { chooseGpus, gpuConditions, hasGpuRoom, matchingGpus } from "./gpu.ts";
import type { PlacementNode } from "./node.ts";
import type { NodePicture } from "./picture.ts";
import { drawPicture, take } from "./picture.ts";
import type { NoPlacement, Placement, PlacementRequest } from "./request.ts";

/** What waits for a place: placed all or none. */
export interface Wanted {
  requests: readonly PlacementRequest[];
  /** All on one node. */
  isTogether?: boolean;
  /** That node, where some of it is there already. */
  nodeId?: number;
  /** It has waited so long that what it lacks is kept for it. */
  isOverdue: boolean;
}

/** One round of placing, in the order of asking. */
export interface Round {
  place(wanted: Wanted): Placement[] | NoPlacement;
  /** How many requests room was kept for. */
  readonly reserved: number;
}

export interface RoundOptions {
  nodes: readonly PlacementNode[];
  /** The same nodes as they will be when all tasks have ended: what replicas hold stays. */
  emptied: readonly PlacementNode[];
  /** How many requests room is kept for at once; each costs the others what it is given. */
  maxReservations?: number;
}

/**
 * A round in which small requests do not starve large ones: where one that is overdue finds no room, the node that
 * lacks the least of what it asks is found, and all of it that is free there is given to nobody who comes after it. The
 * next round finds that node again, since what was kept makes it lack less than others, until the request fits.
 */
export function createRound({ nodes, emptied, maxReservations = 8 }: RoundOptions): Round {
  let placer = createPlacer(nodes);
  let given: { request: PlacementRequest; placement: Placement }[] = [];
  let reserved = 0;
  let pictures: { current: NodePicture[]; lasting: NodePicture[] } | undefined;

  const reserve = (wanted: Wanted) => {
    pictures ??= { current: drawPicture(nodes), lasting: drawPicture(emptied) };
    const { current, lasting } = pictures;
    const byId = new Map(current.map((node) => [node.id, node]));
    for (const { request, placement } of given) {
      const node = byId.get(placement.nodeId);
      if (node !== undefined) take(node, request, placement.gpus);
    }
    given = [];
    if (keepRoom(byId, lasting, wanted)) {
      reserved += wanted.requests.length;
      placer = createPlacer(current);
    }
  };

  return {
    place(wanted) {
      const answer = decide(placer, wanted);
      if (Array.isArray(answer)) {
        wanted.requests.forEach((request, index) => {
          const placement = answer[index];
          if (placement !== undefined) given.push({ request, placement });
        });
      } else if (wanted.isOverdue && reserved < maxReservations) reserve(wanted);
      return answer;
    },
    get reserved() {
      return reserved;
    },
  };
}

function decide(placer: Placer, { requests, isTogether, nodeId }: Wanted): Placement[] | NoPlacement {
  if (isTogether === true) return placer.placeTogether(requests, nodeId);
  const [first] = requests;
  if (first === undefined || requests.length > 1) return placer.placeGang(requests);
  const answer = placer.place(first);
  return "rejections" in answer ? answer : [answer];
}

/** Keeps room for all requests, or for none where one of them could not run even when all tasks have ended. */
function keepRoom(
  current: ReadonlyMap<number, NodePicture>,
  lasting: readonly NodePicture[],
  { requests, isTogether, nodeId }: Wanted,
): boolean {
  const undos: (() => void)[] = [];
  let homeId = nodeId;
  for (const request of requests) {
    const found = closest(current, lasting, request, homeId);
    if (found === undefined) {
      for (const undo of undos.toReversed()) undo();
      return false;
    }
    if (isTogether === true) homeId = found.now.id;
    const slots = request.gpus && chooseGpus(matchingGpus(found.later, gpuConditions(request.gpus)), request.gpus);
    undos.push(take(found.later, request, slots ?? []), keep(found.now, request));
  }
  return true;
}

/** The node that lacks the least of what a request asks, among those that will be able to run it. */
function closest(
  current: ReadonlyMap<number, NodePicture>,
  lasting: readonly NodePicture[],
  request: PlacementRequest,
  homeId: number | undefined,
): { now: NodePicture; later: NodePicture } | undefined {
  let best: { now: NodePicture; later: NodePicture; lack: number } | undefined;
  for (const later of lasting) {
    const now = current.get(later.id);
    if (now === undefined || (homeId !== undefined && now.id !== homeId)) continue;
    if (rejectionOf(later, request) !== undefined) continue;
    const lack = lackOf(now, request);
    if (best === undefined || lack < best.lack) best = { now, later, lack };
  }
  return best;
}

/** How much is missing: each GPU counts more than all cpu, memory and slots. */
function lackOf(node: NodePicture, request: PlacementRequest): number {
  const share = (asked: number, free: number) => (asked === 0 ? 0 : Math.max(0, asked - Math.max(0, free)) / asked);
  const gpus = request.gpus === undefined ? 0 : request.gpus.count - freeGpus(node, request).length;
  const slot = request.class !== undefined && (node.slots[request.class] ?? 0) <= 0 ? 1 : 0;
  const cpu = share(request.cpuMillicores, node.cpuMillicores - node.cpuUsed);
  const memory = share(request.memoryBytes, node.memoryBytes - node.memoryUsed);
  return Math.max(0, gpus) * 4 + slot + cpu + memory;
}

/** Takes as much of what is asked as is free. */
function keep(node: NodePicture, request: PlacementRequest): () => void {
  const free = freeGpus(node, request);
  const count = Math.min(free.length, request.gpus?.count ?? 0);
  const slots = request.gpus && chooseGpus(free, { ...request.gpus, count });
  const { class: taskClass, ...rest } = request;
  const hasSlot = taskClass !== undefined && (node.slots[taskClass] ?? 0) > 0;
  const part: PlacementRequest = {
    ...rest,
    ...(hasSlot && { class: taskClass }),
    cpuMillicores: Math.max(0, Math.min(request.cpuMillicores, node.cpuMillicores - node.cpuUsed)),
    memoryBytes: Math.max(0, Math.min(request.memoryBytes, node.memoryBytes - node.memoryUsed)),
  };
  return take(node, part, slots ?? []);
}

function freeGpus(node: NodePicture, { gpus }: PlacementRequest) {
  return gpus === undefined ? [] : matchingGpus(node, gpuConditions(gpus)).filter((gpu) => hasGpuRoom(gpu, gpus));
}
