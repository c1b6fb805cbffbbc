import type { PlaceableReplicaRow } from "@drover/db/query/placeable";
import type { Rejection } from "@drover/domain/placement/request";
import { createRound } from "@drover/domain/placement/round";
import type { Fleet } from "./fleet.ts";
import { placeSet, replicaSets } from "./replica-round.ts";

/** Where something would go, or why nowhere. */
export interface Foreseen {
  /** The name of a node; absent: none has room. */
  to?: string;
  rejections: readonly Rejection[];
}

/** Where replicas would go if they were placed one after the other now, by their ids; nothing is given away by it. */
export function foresee(fleet: Fleet, rows: readonly PlaceableReplicaRow[]): Map<string, Foreseen> {
  const round = createRound({ ...fleet, maxReservations: 0 });
  const names = new Map(fleet.nodes.map(({ id, name }) => [id, name]));
  const found = new Map<string, Foreseen>();
  for (const set of replicaSets(rows, fleet, Infinity)) {
    const answer = placeSet(round, set);
    const rejections = Array.isArray(answer) ? [] : answer.rejections();
    set.rows.forEach(({ id }, index) => {
      const to = Array.isArray(answer) ? names.get(answer[index]?.nodeId ?? 0) : undefined;
      found.set(id, { ...(to !== undefined && { to }), rejections });
    });
  }
  return found;
}

/**
 * The same of the replicas of one environment, where those that find a place together or not at all tell the reasons once:
 * at the first one that does not fit beside those before it.
 */
export function foreseeEnvironment(fleet: Fleet, rows: readonly PlaceableReplicaRow[]): Map<string, Foreseen> {
  const found = foresee(fleet, rows);
  const isSplit = rows.some((row) => !row.is_together);
  if (isSplit || rows.every(({ id }) => found.get(id)?.to !== undefined)) return found;
  let [fits, fails] = [0, rows.length];
  while (fails - fits > 1) {
    const middle = Math.floor((fits + fails) / 2);
    const part = foresee(fleet, rows.slice(0, middle));
    if (part.get(rows[middle - 1]?.id ?? "")?.to === undefined) fails = middle;
    else fits = middle;
  }
  const odd = rows[fails - 1]?.id ?? "";
  const reasons = foresee(fleet, rows.slice(0, fails)).get(odd)?.rejections ?? [];
  return new Map(rows.map(({ id }) => [id, { rejections: id === odd ? reasons : [] }]));
}
