import { explainPlacement, hasRoom } from "./fit.ts";
import { placeGang } from "./gang.ts";
import { chooseGpus } from "./gpu.ts";
import { hostPortText } from "./host-port.ts";
import type { PlacementNode } from "./node.ts";
import { orders } from "./order.ts";
import type { Choice } from "./picture.ts";
import { drawPicture, take } from "./picture.ts";
import type { Candidate, Pool } from "./pool.ts";
import { createPools, refresh } from "./pool.ts";
import type { NoPlacement, Placement, PlacementRequest } from "./request.ts";
import { placeTogether } from "./together.ts";

/** Decides where things run, one round over; what it gave away stays given. */
export interface Placer {
  place(request: PlacementRequest): Placement | NoPlacement;
  /** All, in their order, or none. */
  placeGang(requests: readonly PlacementRequest[]): Placement[] | NoPlacement;
  /** All on one node, or none; on the node of that id, where some of them are there already. */
  placeTogether(requests: readonly PlacementRequest[], nodeId?: number): Placement[] | NoPlacement;
}

/**
 * Decides over a picture of the nodes. Within a round things are only given away, so a node that is full for a sort of
 * request is never looked at again for it, and a request that failed once fails at once.
 */
export function createPlacer(nodes: readonly PlacementNode[]): Placer {
  const picture = drawPicture(nodes);
  const poolOf = createPools(picture);
  const choose = (request: PlacementRequest) => choosePlace(poolOf(request), request, { isTrial: false });
  const tryOut = (request: PlacementRequest) => choosePlace(poolOf(request), request, { isTrial: true });
  const failedGangs = new Map<string, NoPlacement>();
  return {
    place(request) {
      const choice = choose(request);
      if (choice === undefined) return { rejections: () => explainPlacement(picture, request) };
      take(choice.node, request, choice.slots);
      return { nodeId: choice.node.id, gpus: choice.slots };
    },
    placeGang(requests) {
      const key = JSON.stringify(requests);
      const known = failedGangs.get(key);
      if (known !== undefined) return known;
      const answer = placeGang(picture, tryOut, requests);
      if (!Array.isArray(answer)) failedGangs.set(key, answer);
      return answer;
    },
    placeTogether: (requests, nodeId) => placeTogether(picture, requests, nodeId),
  };
}

/** The best node of a pool. A trial leaves the pool as it is, since what it took may be given back. */
function choosePlace(pool: Pool, request: PlacementRequest, { isTrial }: { isTrial: boolean }): Choice | undefined {
  const amount = amountKey(request);
  if (pool.candidates.length === 0 || pool.failed.has(amount)) return undefined;
  const best = bestCandidate(pool.candidates, request, isTrial);
  if (best === undefined && !isTrial) pool.failed.add(amount);
  const slots = best && (request.gpus === undefined ? [] : chooseGpus(best.gpus, request.gpus));
  return slots && { node: best.node, slots };
}

function bestCandidate(candidates: Candidate[], request: PlacementRequest, isTrial: boolean): Candidate | undefined {
  const { strategy } = request.constraints;
  const order = orders[strategy];
  let best: Candidate | undefined;
  for (let index = candidates.length - 1; index >= 0; index--) {
    const candidate = candidates[index];
    if (candidate === undefined) continue;
    if (candidate.version !== candidate.node.version) refresh(candidate, request);
    if (!candidate.isOpen && !isTrial) removeAt(candidates, index);
    if (!candidate.isOpen) continue;
    if (strategy === "spread") candidate.sameKind = candidate.node.kinds.get(request.kind) ?? 0;
    if ((best === undefined || order(candidate, best) < 0) && hasRoom(candidate.node, request)) best = candidate;
  }
  return best;
}

/** The order of candidates means nothing, so the last one fills the gap. */
function removeAt(candidates: Candidate[], index: number): void {
  const last = candidates.pop();
  if (last !== undefined && index < candidates.length) candidates[index] = last;
}

function amountKey({ cpuMillicores, memoryBytes, ports }: PlacementRequest): string {
  const portTexts = ports.flatMap((port) => hostPortText(port) ?? []);
  return [cpuMillicores, memoryBytes, ...portTexts].join(" ");
}
