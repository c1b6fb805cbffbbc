import type { PlaceableReplicaRow, ReplicaPlace } from "@drover/db/query/placement";
import type { ReplicaSpec } from "@drover/domain/environment/replica";
import { replicaRequest } from "@drover/domain/placed-replica";
import type { PlacementRequest } from "@drover/domain/placement/request";
import type { Round, Wanted } from "@drover/domain/placement/round";
import type { Fleet } from "./fleet.ts";

/** Replicas that have to find a place as one: those of an environment that is to be together, or one alone. */
export interface ReplicaSet {
  rows: PlaceableReplicaRow[];
  wanted: Wanted;
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
    return { rows: members, wanted };
  });
}

/** Finds places for sets of replicas. */
export function placeSets(round: Round, sets: readonly ReplicaSet[]): { places: ReplicaPlace[]; left: number } {
  const places: ReplicaPlace[] = [];
  let left = 0;
  for (const { rows, wanted } of sets) {
    const answer = round.place(wanted);
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

/** What a replica asks for. */
export function requestOf({ spec, service_id }: PlaceableReplicaRow): PlacementRequest {
  return replicaRequest(spec as ReplicaSpec, service_id);
}
