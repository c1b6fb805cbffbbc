import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A replica that waits for a place, or that holds one that it cannot keep. */
export interface PlaceableReplicaRow {
  id: string;
  environment_id: number;
  service_id: number;
  number: number;
  /** Null: not placed. */
  holder_id: number | null;
  waited_seconds: number;
  spec: unknown;
  /** The environment's replicas run on one node. */
  is_together: boolean;
  /** Of one that was stopped and starts again: where it was. */
  last_holder_id: number | null;
}

/** Replicas that are to run and have no node, by environment, oldest first. */
export function unplacedReplicas(tx: Executor, limit: number): Promise<PlaceableReplicaRow[]> {
  return tx.run(sql`
    select ${placeable}
      from drover.replica r
      ${declared}
     where r.holder_id is null and r.wanted = 'running'
     order by r.environment_id, r.id
     limit ${limit}`);
}

/** Replicas that are to run: those of environments that have no node yet, or those that a node has. */
export function replicasToExplain(
  db: Executor,
  which: { environmentIds: readonly number[] } | { holderId: number },
): Promise<PlaceableReplicaRow[]> {
  const filter =
    "holderId" in which
      ? sql`r.holder_id = ${which.holderId} and not r.is_leaving`
      : sql`r.holder_id is null and r.environment_id = any (${sql.param(which.environmentIds)}::integer[])`;
  return db.run(sql`
    select ${placeable}
      from drover.replica r
      ${declared}
     where ${filter} and r.wanted = 'running'
     order by r.environment_id, r.id`);
}

/** Replicas whose GPUs cannot be used any more, or are not as many as their service asks for now. */
export function misplacedReplicas(tx: Executor, limit: number): Promise<PlaceableReplicaRow[]> {
  return tx.run(sql`
    select ${placeable}
      from drover.replica r
      ${declared}
      join drover.holder h on h.id = r.holder_id and h.state = 'ready' and h.removed_at is null and h.drain_requested_at is null
     where r.wanted = 'running' and not r.is_leaving
       and r.id in (
         select a.replica_id from drover.gpu_allocation a join drover.gpu g on g.id = a.gpu_id
          where g.state <> 'ready' and a.replica_id is not null
         union
         select x.id
           from drover.replica x
           left join drover.gpu_allocation a on a.replica_id = x.id
          where x.holder_id is not null and x.wanted = 'running'
          group by x.id
         having count(distinct a.gpu_id) <> coalesce((x.spec -> 'service' -> 'resources' -> 'gpus' ->> 'count')::integer, 0))
     order by r.id
     limit ${limit}`);
}

const placeable = sql`r.id, r.environment_id, r.service_id, r.number, r.holder_id, r.spec,
  extract(epoch from now() - r.created_at)::float8 as waited_seconds, coalesce(d.is_together, false) as is_together,
  case when r.holder_id is null then (select t.holder_id from drover.replica_status t where t.replica_id = r.id) end as last_holder_id`;

const declared = sql`
  left join lateral (
    select (g.declaration ->> 'isTogether')::boolean as is_together
      from drover.environment_generation g
     where g.environment_id = r.environment_id and g.generation = r.generation) d on true`;
