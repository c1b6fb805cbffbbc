import { listServiceReplicas, type ServiceReplicaRow } from "@drover/db/query/node-request";
import type { Deps } from "../operation/context.ts";
import { refuseEnvironment, refuseService } from "../operation/find-environment.ts";

/** A replica that is on a node. */
export type PlacedReplica = ServiceReplicaRow & { replica_id: string; holder_id: number };

/** The services of an environment with their replicas; those that are named, or all. */
export async function findReplicas(
  { db }: Pick<Deps, "db">,
  namespaceId: number,
  environment: string,
  services: readonly string[],
): Promise<ServiceReplicaRow[]> {
  const rows = await listServiceReplicas(db, namespaceId, environment);
  if (rows.length === 0) await refuseEnvironment(db, namespaceId, environment);
  const known = [...new Set(rows.map(({ service }) => service))];
  for (const name of services) if (!known.includes(name)) refuseService(environment, known, name);
  return services.length === 0 ? rows : rows.filter(({ service }) => services.includes(service));
}

export function isPlaced(row: ServiceReplicaRow): row is PlacedReplica {
  return row.replica_id !== null && row.holder_id !== null;
}

/** Why a replica has no container that could be asked; part of a sentence, without its full stop. */
export function absenceOf(row: ServiceReplicaRow): string {
  if (row.replica_id === null) return "it has no replica";
  if (row.wanted === "stopped") return `replica ${row.number} is stopped`;
  if (row.holder_id === null) return `replica ${row.number} is not placed on a node yet`;
  const detail = row.message === "" ? "" : `: ${row.message.replace(/\.$/, "")}`;
  return `replica ${row.number} on node "${row.node}" is ${row.state ?? "not begun"}${detail}`;
}

/** Groups what is to be asked by node. */
export function byNode(rows: readonly ServiceReplicaRow[]): Map<number, PlacedReplica[]> {
  return Map.groupBy(rows.filter(isPlaced), ({ holder_id }) => holder_id);
}
