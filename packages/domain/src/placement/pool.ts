import { ruleReason } from "./fit.ts";
import type { GpuCondition } from "./gpu.ts";
import { freePlaces, gpuConditions, hasGpuRoom, matchingGpus } from "./gpu.ts";
import type { PlacementGpu } from "./node.ts";
import type { Standing } from "./order.ts";
import { localityOf, usedShare } from "./order.ts";
import type { NodePicture } from "./picture.ts";
import type { PlacementRequest } from "./request.ts";

/** The nodes that can serve requests alike in all but cpu, memory, ports and kind, as far as that never changes. */
export interface Pool {
  candidates: Candidate[];
  /** Amounts for which no node had room; it only gets less, so they need no second look. */
  failed: Set<string>;
}

/** A node of a pool, with what was found out about it at a version of its picture. */
export interface Candidate extends Standing {
  node: NodePicture;
  /** GPUs that satisfy the conditions, free or not. */
  gpus: readonly PlacementGpu[];
  version: number;
  /** false: no GPUs or no slot left for any request of the pool. */
  isOpen: boolean;
}

/** Finds the pool of a request, made at the first one of its sort. */
export function createPools(picture: readonly NodePicture[]): (request: PlacementRequest) => Pool {
  const open = picture.filter(({ state, isCordoned }) => state === "ready" && !isCordoned);
  const byName = Map.groupBy(open, ({ name }) => name);
  const pools = new Map<string, Pool>();
  let held = 0;
  return (request) => {
    const key = JSON.stringify([request.executor, request.class, request.image, request.gpus, request.constraints]);
    const known = pools.get(key);
    if (known !== undefined) return known;
    const { node } = request.constraints;
    const candidates = candidatesOf(node === undefined ? open : (byName.get(node) ?? []), request);
    held += candidates.length;
    if (held > maxHeld) {
      pools.clear();
      held = candidates.length;
    }
    const pool = { candidates, failed: new Set<string>() };
    pools.set(key, pool);
    return pool;
  };
}

/** Brings a candidate up to date with its node. */
export function refresh(candidate: Candidate, { gpus, class: taskClass }: PlacementRequest): void {
  const { node } = candidate;
  candidate.version = node.version;
  candidate.used = usedShare(node);
  candidate.slots = taskClass === undefined ? 0 : (node.slots[taskClass] ?? 0);
  candidate.isOpen = taskClass === undefined || candidate.slots > 0;
  if (gpus === undefined) return;
  candidate.gpuPlaces = candidate.gpus.reduce((sum, gpu) => sum + freePlaces(gpu, gpus), 0);
  candidate.isOpen &&= candidate.gpus.filter((gpu) => hasGpuRoom(gpu, gpus)).length >= gpus.count;
}

function candidatesOf(nodes: readonly NodePicture[], request: PlacementRequest): Candidate[] {
  const conditions = request.gpus === undefined ? [] : gpuConditions(request.gpus);
  const count = request.gpus?.count ?? 0;
  return nodes
    .filter((node) => node.gpus.length >= count && ruleReason(node, request) === undefined)
    .map((node) => candidateOf(node, request, conditions))
    .filter(({ gpus }) => gpus.length >= count);
}

/** A node as a candidate, before its first refresh. */
function candidateOf(node: NodePicture, request: PlacementRequest, conditions: readonly GpuCondition[]): Candidate {
  return {
    node,
    gpus: request.gpus === undefined ? [] : matchingGpus(node, conditions),
    version: -1,
    isOpen: true,
    locality: localityOf(node, request),
    idleGpus: request.gpus === undefined && node.gpus.length > 0 ? 1 : 0,
    gpuPlaces: 0,
    used: 0,
    slots: 0,
    sameKind: 0,
    rank: node.rank,
  };
}

/** Candidates that are kept for later requests, some 50 MB of them: a round of ever new requests starts over. */
const maxHeld = 400_000;
