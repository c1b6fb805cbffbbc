import { rejectionOf } from "./fit.ts";
import { chooseGpus, freePlaces, gpuConditions, matchingGpus } from "./gpu.ts";
import { hardestFirst } from "./hardest-first.ts";
import type { Standing } from "./order.ts";
import { localityOf, orders, usedShare } from "./order.ts";
import type { NodePicture } from "./picture.ts";
import { take } from "./picture.ts";
import type { NoPlacement, Placement, PlacementRequest, Rejection } from "./request.ts";

/** Places all requests on one node, the best by the strategy of the first, or none. */
export function placeTogether(
  picture: readonly NodePicture[],
  requests: readonly PlacementRequest[],
  nodeId?: number,
): Placement[] | NoPlacement {
  const allowed = picture.filter((node) => nodeId === undefined || node.id === nodeId);
  const fitting = allowed.filter((node) => requests.every((request) => rejectionOf(node, request) === undefined));
  const standings = fitting.map((node) => ({ node, ...standingOf(node, requests) }));
  for (const { node } of standings.toSorted(orders[requests[0]?.constraints.strategy ?? "binpack"])) {
    const answer = placeAllOn(node, requests);
    if (Array.isArray(answer)) return answer;
  }
  // Worked out now: later, with less room, the same steps could lead elsewhere.
  const home = allowed[0] === undefined ? "a node that has gone" : `node ${allowed[0].name}`;
  const rejections = picture.flatMap((node) => {
    if (!allowed.includes(node)) return otherNode(node, home);
    const answer = placeAllOn(node, requests);
    return Array.isArray(answer) ? [] : answer;
  });
  return { rejections: () => rejections };
}

/** Takes all or nothing of one node; a rejection tells of the first that finds no room. */
function placeAllOn(node: NodePicture, requests: readonly PlacementRequest[]): Placement[] | Rejection {
  const placed: Placement[] = [];
  const undos: (() => void)[] = [];
  for (const { request, index } of hardestFirst(requests)) {
    const rejection = rejectionOf(node, request);
    if (rejection !== undefined) {
      for (const undo of undos.toReversed()) undo();
      return undos.length === 0
        ? rejection
        : { ...rejection, message: `${rejection.message} ${noteOf(undos, requests)}` };
    }
    const { gpus } = request;
    const slots = (gpus && chooseGpus(matchingGpus(node, gpuConditions(gpus)), gpus)) ?? [];
    undos.push(take(node, request, slots));
    placed[index] = { nodeId: node.id, gpus: slots };
  }
  return placed;
}

function noteOf(placed: readonly unknown[], requests: readonly unknown[]): string {
  return `${placed.length} of the ${requests.length} that must run on one node had found room before.`;
}

function standingOf(node: NodePicture, requests: readonly PlacementRequest[]): Standing {
  const sum = (amount: (request: PlacementRequest) => number) =>
    requests.reduce((total, request) => total + amount(request), 0);
  const asksForGpus = requests.some(({ gpus }) => gpus !== undefined);
  return {
    locality: sum((request) => localityOf(node, request)),
    idleGpus: !asksForGpus && node.gpus.length > 0 ? 1 : 0,
    gpuPlaces: sum(({ gpus }) => (gpus === undefined ? 0 : gpuPlacesOf(node, gpus))),
    used: usedShare(node),
    slots: sum(({ class: taskClass }) => (taskClass === undefined ? 0 : (node.slots[taskClass] ?? 0))),
    sameKind: sum(({ kind }) => node.kinds.get(kind) ?? 0),
    rank: node.rank,
  };
}

function gpuPlacesOf(node: NodePicture, gpus: NonNullable<PlacementRequest["gpus"]>): number {
  return matchingGpus(node, gpuConditions(gpus)).reduce((sum, gpu) => sum + freePlaces(gpu, gpus), 0);
}

function otherNode(node: NodePicture, home: string): Rejection {
  const message = `Node ${node.name} cannot reach the rest of the environment, which runs on ${home}.`;
  return { node: node.name, code: "other_environment_node", message };
}
