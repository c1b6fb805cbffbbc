import type { PlaceableReplicaRow } from "@drover/db/query/placeable";
import type { ReplicaPlace } from "@drover/db/query/placement";
import type { ReplicaSpec } from "@drover/domain/environment/replica";
import { replicaRequest } from "@drover/domain/placed-replica";
import type { NoPlacement, Placement, PlacementRequest } from "@drover/domain/placement/request";
import type { Round, Wanted } from "@drover/domain/placement/round";
import type { Fleet } from "./fleet.ts";

/** Replicas that have to find a place as one: those of an environment that is to be together, or one alone. */
export interface ReplicaSet {
  rows: PlaceableReplicaRow[];
  wanted: Wanted;
  /** The node that they were on before they were stopped. */
  lastNodeId?: number;
}

/** Sets of replicas without a place, in the order of their environments. */
export function replicaSets(
  rows: readonly PlaceableReplicaRow[],
  { homes }: Pick<Fleet, "homes">,
  overdueSeconds: number,
): ReplicaSet[] {
  const sets = Map.groupBy(rows, (row) => (row.is_together ? `environment ${row.environment_id}` : row.id));
  return [...sets.values()].map((members) => {
    const [first] = members;
    const homeId = first?.is_together === true ? homes.get(first.environment_id) : undefined;
    const wanted: Wanted = {
      requests: members.map(requestOf),
      isOverdue: members.some(({ waited_seconds }) => waited_seconds >= overdueSeconds),
      ...(first?.is_together === true && { isTogether: true }),
      ...(homeId !== undefined && { nodeId: homeId }),
    };
    const [lastNodeId] = members.flatMap((row) => row.last_holder_id ?? []);
    return { rows: members, wanted, ...(lastNodeId !== undefined && { lastNodeId }) };
  });
}

/** Finds places for sets of replicas. */
export function placeSets(round: Round, sets: readonly ReplicaSet[]): { places: ReplicaPlace[]; left: number } {
  const places: ReplicaPlace[] = [];
  let left = 0;
  for (const set of sets) {
    const { rows } = set;
    const answer = placeSet(round, set);
    if (!Array.isArray(answer)) {
      left += rows.length;
      continue;
    }
    answer.forEach((place, index) => {
      const row = rows[index];
      if (row !== undefined) places.push({ id: row.id, fromId: row.holder_id, place });
    });
  }
  return { places, left };
}

/** Finds a place for a set: the node where it was before, if that has room, else any. */
export function placeSet(round: Round, { wanted, lastNodeId }: ReplicaSet): Placement[] | NoPlacement {
  if (lastNodeId !== undefined && wanted.nodeId === undefined) {
    const back = round.place({ ...wanted, isTogether: true, nodeId: lastNodeId, isOverdue: false });
    if (Array.isArray(back)) return back;
  }
  return round.place(wanted);
}

/** What a replica asks for. */
export function requestOf({ spec, service_id }: PlaceableReplicaRow): PlacementRequest {
  return replicaRequest(spec as ReplicaSpec, service_id);
}
