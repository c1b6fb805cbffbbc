import type { Executor } from "@drover/db/client";
import type { EnvironmentRow } from "@drover/db/query/environment";
import { listReplicas, type ReplicaRow } from "@drover/db/query/replica";
import { listServices, type ServiceRow } from "@drover/db/query/service";
import type { Service } from "@drover/domain/environment/declaration";
import type { EnvironmentState } from "@drover/domain/environment/lifecycle";
import {
  type ReplicaView,
  type ServiceView,
  viewEnvironment,
  viewReplica,
  viewService,
} from "@drover/domain/environment/status";
import type { Rejection } from "@drover/domain/placement/request";
import { explainReplicas } from "./place/explain.ts";
import { effectiveDeclaration, wantedServices } from "./wanted-services.ts";

/** An environment as it is now: desired and observed, and what that comes to. */
export interface SeenEnvironment {
  row: EnvironmentRow;
  state: EnvironmentState;
  message: string;
  /** As declared, and those that are on their way out. */
  services: SeenService[];
}

export interface SeenService {
  view: ServiceView;
  /** With what operators have changed about it; absent: it is not declared any more. */
  declared?: Service;
  replicas: SeenReplica[];
}

export interface SeenReplica {
  row: ReplicaRow;
  view: ReplicaView;
  /** Of one that waits for a node, where asked for: why each cannot run it. */
  rejections: readonly Rejection[];
}

/** Looks at environments and all their replicas; on demand also at why some of them have no node. */
export async function seeEnvironments(
  db: Executor,
  rows: readonly EnvironmentRow[],
  { isExplained = false } = {},
): Promise<SeenEnvironment[]> {
  const ids = rows.map((row) => row.id);
  if (ids.length === 0) return [];
  const [services, replicas] = await Promise.all([listServices(db, ids), listReplicas(db, ids)]);
  const servicesOf = Map.groupBy(services, (service) => service.environment_id);
  const replicasOf = Map.groupBy(replicas, (replica) => replica.environment_id);
  const hasUnplaced = replicas.some((replica) => replica.holder_id === null && replica.wanted === "running");
  const rejections = isExplained && hasUnplaced ? await explainReplicas(db, ids) : new Map<string, Rejection[]>();
  const seeOne = (row: ReplicaRow) => seeReplica(row, rejections.get(row.id) ?? []);
  return rows.map((row) => see(row, servicesOf.get(row.id) ?? [], replicasOf.get(row.id) ?? [], seeOne));
}

function see(
  row: EnvironmentRow,
  known: readonly ServiceRow[],
  replicas: readonly ReplicaRow[],
  seeOne: (replica: ReplicaRow) => SeenReplica,
): SeenEnvironment {
  const byName = new Map(known.map((service) => [service.name, service]));
  const byService = Map.groupBy(replicas, (replica) => replica.service);
  const isDeleting = row.deletion_requested_at !== null;
  const former = effectiveDeclaration(row, known).services;
  const declared = isDeleting ? [] : former;
  const services = declared.map((service): SeenService => {
    const seen = (byService.get(service.name) ?? []).map(seeOne);
    const { name, isRequired, replicas: count } = service;
    const isStopped = byName.get(name)?.is_stopped ?? false;
    const view = viewService(
      { name, isRequired, isStopped, replicas: count },
      seen.map((one) => one.view),
    );
    return { view, declared: service, replicas: seen };
  });
  const isDeclared = new Set(declared.map(({ name }) => name));
  const leaving = [...byService].flatMap(([name, rows]): SeenService[] => {
    if (isDeclared.has(name)) return [];
    const seen = rows.map(seeOne);
    const isRequired = former.some((service) => service.name === name && service.isRequired);
    const facts = { name, isRequired, isStopped: false, replicas: 0 };
    return [
      {
        view: viewService(
          facts,
          seen.map((one) => one.view),
        ),
        replicas: seen,
      },
    ];
  });
  const all = [...services, ...leaving];
  const facts = {
    isDeleting,
    isRolling: !isDeleting && isBehind(row, known, replicas),
    pausedReason: row.paused_reason,
  };
  return {
    row,
    ...viewEnvironment(
      facts,
      all.map(({ view }) => view),
    ),
    services: all,
  };
}

/** Whether a replica has yet to get the newest spec or round. That it then proves itself is no news to who looks. */
function isBehind(row: EnvironmentRow, known: readonly ServiceRow[], replicas: readonly ReplicaRow[]): boolean {
  if (!row.is_rolling) return false;
  const newest = new Map(wantedServices(row, known).map((wanted) => [wanted.spec.service.name, wanted]));
  return replicas.some(({ service, wanted, is_leaving: isLeaving, spec_hash: specHash, round }) => {
    const target = newest.get(service);
    if (wanted === "gone" || isLeaving || target === undefined) return false;
    return specHash !== target.specHash || round !== target.round;
  });
}

function seeReplica(row: ReplicaRow, rejections: readonly Rejection[]): SeenReplica {
  const { number, wanted, state, node, round } = row;
  const view = viewReplica({
    number,
    wanted,
    round,
    specHash: row.spec_hash,
    isLeaving: row.is_leaving,
    node: node === null ? undefined : { name: node, isLost: row.is_lost },
    status:
      state === null
        ? undefined
        : { state, message: row.message ?? "", specHash: row.seen_hash, round: row.seen_round },
  });
  return { row, view, rejections };
}
