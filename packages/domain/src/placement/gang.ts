import { explainPlacement } from "./fit.ts";
import { hardestFirst } from "./hardest-first.ts";
import type { Choice, NodePicture } from "./picture.ts";
import { take } from "./picture.ts";
import type { NoPlacement, Placement, PlacementRequest, Rejection } from "./request.ts";

/** Places all requests, on any nodes, or none: one after the other, the hardest first, and no step is taken back. */
export function placeGang(
  picture: readonly NodePicture[],
  choose: (request: PlacementRequest) => Choice | undefined,
  requests: readonly PlacementRequest[],
): Placement[] | NoPlacement {
  const members: Member[] = [];
  const undos: (() => void)[] = [];
  for (const { request, index } of hardestFirst(requests)) {
    const choice = choose(request);
    if (choice === undefined) {
      for (const undo of undos.toReversed()) undo();
      return { rejections: () => explainGang(picture, members, request, requests.length) };
    }
    undos.push(take(choice.node, request, choice.slots));
    members.push({ ...choice, request, index });
  }
  return members.toSorted((a, b) => a.index - b.index).map(({ node, slots }) => ({ nodeId: node.id, gpus: slots }));
}

interface Member extends Choice {
  request: PlacementRequest;
  index: number;
}

/** Why the first member that found no room found none, with the others where they would have been. */
function explainGang(
  picture: readonly NodePicture[],
  members: readonly Member[],
  request: PlacementRequest,
  size: number,
): Rejection[] {
  const undos = members.map((member) => take(member.node, member.request, member.slots));
  const rejections = explainPlacement(picture, request);
  for (const undo of undos.toReversed()) undo();
  if (members.length === 0) return rejections;
  const note = `${members.length} of the gang's ${size} members had found room before.`;
  return rejections.map((rejection) => ({ ...rejection, message: `${rejection.message} ${note}` }));
}
