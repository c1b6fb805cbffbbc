import type { ReplicaSpec, ReplicaState } from "@drover/domain/environment/replica";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** How the replicas of a service should be. */
export interface WantedService {
  serviceId: number;
  /** How many. */
  count: number;
  generation: number;
  spec: ReplicaSpec;
  specHash: string;
  wanted: "running" | "stopped";
  round: number;
}

/** What a change of replicas has touched. */
export interface ReplicaChange {
  /** Nodes that are to be told. */
  holderIds: number[];
  /** Replicas that have no node now. */
  unplaced: number;
}

/**
 * Makes the replicas that are missing, lets those go that are too many, and forgets those that were to go and are on no
 * node (any more). What exists keeps its spec.
 */
export async function fitReplicas(
  tx: Executor,
  environment: { id: number; namespaceId: number },
  services: readonly WantedService[],
): Promise<ReplicaChange> {
  const surplus = await tx.run<{ holder_id: number | null }>(sql`
    with wanted as (
      select * from ${recordset(services)}
    ), surplus as (
      select r.id, r.holder_id
        from drover.replica r
        left join wanted w on w."serviceId" = r.service_id
       where r.environment_id = ${environment.id} and r.wanted <> 'gone'
         and (w."serviceId" is null or r.number > w.count)
       order by r.id
         for update of r
    )
    update drover.replica r set wanted = 'gone', updated_at = now()
      from surplus where r.id = surplus.id
    returning r.holder_id`);
  await tx.run(sql`
    delete from drover.replica r
     where r.environment_id = ${environment.id} and r.wanted = 'gone'
       and (r.holder_id is null or exists (select from drover.holder h where h.id = r.holder_id and h.removed_at is not null))`);
  const made = await tx.run(sql`
    insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash, wanted, round)
    select drover.next_id(), ${environment.namespaceId}, ${environment.id}, w."serviceId", n.number, w.generation, w.spec,
           w."specHash", w.wanted, w.round
      from ${recordset(services)}
     cross join generate_series(1, w.count) as n (number)
     where not exists (
       select from drover.replica r
        where r.service_id = w."serviceId" and r.number = n.number and r.wanted <> 'gone' and not r.is_leaving)
    returning id`);
  return { holderIds: surplus.flatMap(({ holder_id: id }) => id ?? []), unplaced: made.length };
}

/** A replica that is wanted, and what its node last said of it. Keys are decimal bigints. */
export interface RolloutReplicaRow {
  id: string;
  service_id: number;
  number: number;
  generation: number;
  spec_hash: string;
  round: number;
  wanted: "running" | "stopped";
  node: string | null;
  is_lost: boolean;
  state: ReplicaState | null;
  message: string | null;
  seen_hash: string | null;
  seen_round: number | null;
  /** How long it has been in this state with this spec, by the database's clock. */
  seconds: number;
}

/** The replicas of an environment that a roll-out is about: those that are wanted and not on their way out. */
export function listForRollout(db: Executor, environmentId: number): Promise<RolloutReplicaRow[]> {
  return db.run(sql`
    select r.id, r.service_id, r.number, r.generation, r.spec_hash, r.round, r.wanted, h.name as node,
           r.holder_id is not null and ${isLost} as is_lost, t.state, t.message, t.spec_hash as seen_hash, t.round as seen_round,
           -- The node's clock may be wrong, so what it says can only shorten this.
           coalesce(extract(epoch from clock_timestamp() - greatest(t.changed_at, r.updated_at,
             case when t.healthy_since <= clock_timestamp() then t.healthy_since end)), 0)::double precision as seconds
      from drover.replica r
      left join drover.replica_status t on t.replica_id = r.id and t.holder_id = r.holder_id
      left join drover.holder h on h.id = r.holder_id
      left join drover.holder_lease l on l.holder_id = r.holder_id
     where r.environment_id = ${environmentId} and r.wanted <> 'gone' and not r.is_leaving
     order by r.id`);
}

/** The specs that replicas of an environment have, each once. */
export function listSpecs(
  db: Executor,
  environmentId: number,
): Promise<{ service_id: number; generation: number; spec_hash: string; spec: ReplicaSpec }[]> {
  return db.run(sql`
    select distinct on (r.service_id, r.generation, r.spec_hash) r.service_id, r.generation, r.spec_hash, r.spec
      from drover.replica r
     where r.environment_id = ${environmentId} and r.wanted <> 'gone' and not r.is_leaving
     order by r.service_id, r.generation, r.spec_hash`);
}

/**
 * Gives replicas the newest spec and round. Those in `moved` need another place: they go, and others of the same number
 * come in their stead, as yet without a node.
 */
export async function updateReplicas(
  tx: Executor,
  services: readonly WantedService[],
  ids: { updated: readonly string[]; moved: readonly string[] },
): Promise<ReplicaChange> {
  const moved = await tx.run<{ holder_id: number | null }>(sql`
    with gone as (
      update drover.replica r set wanted = 'gone', updated_at = now()
       where r.id = any (${sql.param(ids.moved)}::bigint[]) and r.wanted <> 'gone'
      returning r.holder_id
    )
    select holder_id from gone`);
  const updated = await tx.run<{ holder_id: number | null }>(sql`
    update drover.replica r
       set spec = w.spec, spec_hash = w."specHash", generation = w.generation, wanted = w.wanted, round = w.round, updated_at = now()
      from ${recordset(services)}
     where r.service_id = w."serviceId" and r.id = any (${sql.param(ids.updated)}::bigint[]) and r.wanted <> 'gone'
    returning r.holder_id`);
  const holderIds = [...moved, ...updated].flatMap(({ holder_id: id }) => id ?? []);
  return { holderIds, unplaced: moved.length };
}

/** Gives replicas whose container stays what else has changed: it needs no new one, so nothing waits for it. */
export async function refreshReplicas(
  tx: Executor,
  services: readonly WantedService[],
  ids: readonly string[],
): Promise<number[]> {
  const rows = await tx.run<{ holder_id: number | null }>(sql`
    update drover.replica r set spec = w.spec, generation = w.generation
      from ${recordset(services)}
     where r.service_id = w."serviceId" and r.id = any (${sql.param(ids)}::bigint[]) and r.spec_hash = w."specHash"
       and (r.generation <> w.generation or r.spec::text <> w.spec::text)
    returning r.holder_id`);
  return rows.flatMap(({ holder_id: id }) => id ?? []);
}

/**
 * Has replicas run or stopped, as their services are. One that starts again, and had given back GPUs or ports of its node,
 * is placed anew; what its node last said of it stays, as where it was.
 */
export async function steerReplicas(
  tx: Executor,
  environmentId: number,
  services: readonly WantedService[],
): Promise<ReplicaChange> {
  const rows = await tx.run<{ holder_id: number | null; is_unplaced: boolean }>(sql`
    with steered as (
      select r.id, r.holder_id, w.wanted, w.wanted = 'running' and drover.has_stopped(r) and (
               coalesce((r.spec -> 'service' -> 'resources' -> 'gpus' ->> 'count')::integer, 0) > 0
               or exists (select from json_array_elements(coalesce(r.spec -> 'service' -> 'ports', '[]')) as p (port)
                           where p.port ->> 'hostPort' is not null)) as has_given_back
        from drover.replica r
        join ${recordset(services)} on r.service_id = w."serviceId"
       where r.environment_id = ${environmentId} and r.wanted <> 'gone' and r.wanted <> w.wanted
       order by r.id
         for update of r
    ), freed as (
      delete from drover.gpu_allocation a using steered s where a.replica_id = s.id and s.has_given_back
    )
    update drover.replica r
       set wanted = s.wanted, updated_at = now(), holder_id = case when s.has_given_back then null else r.holder_id end,
           placed_at = case when s.has_given_back then null else r.placed_at end
      from steered s
     where r.id = s.id
    returning s.holder_id, s.wanted = 'running' and r.holder_id is null as is_unplaced`);
  // What has ended by itself before it was stopped will tell its node nothing new.
  await tx.run(sql`select drover.release_stopped(array[${environmentId}::integer])`);
  const unplaced = rows.filter((row) => row.is_unplaced).length;
  return { holderIds: rows.flatMap(({ holder_id: id }) => id ?? []), unplaced };
}

/** Tells nodes that there is something new for them. */
export async function touchHolders(tx: Executor, holderIds: readonly number[]): Promise<void> {
  const ids = [...new Set(holderIds)];
  if (ids.length > 0) await tx.run(sql`select drover.touch_holders(${sql.param(ids)}::integer[])`);
}

/** A replica as every view of it shows it. */
export interface ReplicaRow {
  id: string;
  environment_id: number;
  service: string;
  number: number;
  generation: number;
  spec_hash: string;
  round: number;
  wanted: "running" | "stopped" | "gone";
  is_leaving: boolean;
  holder_id: number | null;
  node: string | null;
  is_lost: boolean;
  state: ReplicaState | null;
  is_healthy: boolean | null;
  message: string | null;
  container_id: string | null;
  image_digest: string | null;
  seen_hash: string | null;
  seen_round: number | null;
  started_at: Date | null;
  restarts: number | null;
  exit_code: number | null;
  ports: { containerPort: number; hostPort: number; hostIp: string; protocol: string }[] | null;
  progress: number | null;
  drift: { field: string; wanted: string; found: string }[] | null;
  gpu_uuids: string[];
}

/** The replicas of environments with all that is known of them, by service and number. */
export function listReplicas(db: Executor, environmentIds: readonly number[]): Promise<ReplicaRow[]> {
  return db.run(sql`
    select r.id, r.environment_id, s.name as service, r.number, r.generation, r.spec_hash, r.round, r.wanted, r.is_leaving,
           r.holder_id, h.name as node, r.holder_id is not null and ${isLost} as is_lost, t.state, t.is_healthy, t.message,
           t.container_id, t.image_digest, t.spec_hash as seen_hash, t.round as seen_round, t.started_at, t.restarts, t.exit_code,
           t.ports, t.progress, t.drift,
           array(select g.uuid from drover.gpu_allocation a join drover.gpu g on g.id = a.gpu_id
                  where a.replica_id = r.id order by g.number, a.slot) as gpu_uuids
      from drover.replica r
      join drover.service s on s.id = r.service_id
      left join drover.replica_status t on t.replica_id = r.id and t.holder_id = r.holder_id
      left join drover.holder h on h.id = r.holder_id
      left join drover.holder_lease l on l.holder_id = r.holder_id
     where r.environment_id = any (${sql.param(environmentIds)}::integer[])
     order by s.id, r.number, r.id`);
}

/** As in the list of nodes: without a lease that holds it is lost, whatever was last written of it. */
const isLost = sql`(h.state = 'lost' or l.expires_at is null or l.expires_at <= now())`;

function recordset(services: readonly WantedService[]) {
  return sql`json_to_recordset(${JSON.stringify(services)}::json) as w ("serviceId" integer, count integer, generation integer,
    spec json, "specHash" text, wanted text, round integer)`;
}
