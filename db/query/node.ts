import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface NodeRow {
  id: number;
  name: string;
  state: "ready" | "draining" | "lost";
  epoch: string;
  slots: Record<string, number>;
  executors: string[];
  facts: Record<string, string>;
  version: string;
  joined_at: Date;
  lease_expires_at: Date | null;
  labels: Record<string, string>;
  taints: string[];
  cordoned_at: Date | null;
  cordon_reason: string | null;
  drain_deadline_at: Date | null;
  lost_at: Date | null;
  running: string;
  /** That it is to keep, or still to remove. */
  replicas: string;
}

/** Nodes by name, which serve all namespaces; those without a lease are lost, whatever was last written of them. */
export function listNodes(db: Executor, name?: string): Promise<NodeRow[]> {
  return db.run(sql`
    select h.id, h.name, case when l.expires_at > now() then h.state else 'lost' end as state, h.epoch, h.slots, h.executors,
           h.facts, h.version, h.joined_at, l.expires_at as lease_expires_at, h.labels, h.taints, h.cordoned_at, h.cordon_reason,
           h.drain_deadline_at, h.lost_at,
           (select count(*) from drover.task_lease t where t.holder_id = h.id) as running,
           (select count(*) from drover.replica r where r.holder_id = h.id) as replicas
      from drover.holder h left join drover.holder_lease l on l.holder_id = h.id
     where h.kind = 'node' and h.removed_at is null
       and (${name ?? null}::text is null or h.name = ${name ?? null}::text)
     order by h.name, h.id`);
}

/** The id of a node, also of one that was removed; undefined when there never was one of that name. */
export async function findNode(db: Executor, name: string): Promise<{ id: number; is_removed: boolean } | undefined> {
  const [row] = await db.run<{ id: number; is_removed: boolean }>(sql`
    select id, removed_at is not null as is_removed from drover.holder
     where kind = 'node' and name = ${name}
     order by removed_at is not null, id
     limit 1`);
  return row;
}

/** Sets and takes away labels and taints, for placement to choose by; false when there is no such node. */
export async function markNode(
  db: Executor,
  by: { holderId: number; actor: string },
  marks: {
    setLabels: Record<string, string>;
    unsetLabels: readonly string[];
    addTaints: readonly string[];
    removeTaints: readonly string[];
  },
): Promise<boolean> {
  const rows = await db.run(sql`
    with marked as (
      update drover.holder h
         set labels = (h.labels || ${JSON.stringify(marks.setLabels)}::jsonb) - ${sql.param(marks.unsetLabels)}::text[],
             taints = array(
               select distinct t from unnest(h.taints || ${sql.param(marks.addTaints)}::text[]) t
                where t <> all (${sql.param(marks.removeTaints)}::text[]) order by t)
       where h.id = ${by.holderId} and h.removed_at is null
      returning h.id, h.namespace_id, h.name, h.labels, h.taints
    ), told as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), m.namespace_id, 'node.marked', ${by.actor}, json_build_object('name', m.name, 'labels', m.labels, 'taints', m.taints)
        from marked m
    )
    select id from marked`);
  return rows.length > 0;
}

/** Lets nothing new onto a node; false when there is no such node. */
export async function cordonNode(db: Executor, holderId: number, reason: string, actor: string): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(
    sql`select drover.cordon_node(${holderId}, ${reason}, ${actor}) as found`,
  );
  return row?.found ?? false;
}

/** Ends a cordon, and a drain with it; false when there is no such node. */
export async function uncordonNode(db: Executor, holderId: number, actor: string): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(sql`select drover.uncordon_node(${holderId}, ${actor}) as found`);
  return row?.found ?? false;
}

/** Begins a drain, or moves its deadline; false when there is no such node. */
export async function drainNode(
  db: Executor,
  holderId: number,
  drain: { seconds: number; reason: string; actor: string },
): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(
    sql`select drover.drain_node(${holderId}, ${drain.seconds}, ${drain.reason}, ${drain.actor}) as found`,
  );
  return row?.found ?? false;
}

/** What nodes are to be told of drains that are over, and what removed ones leave behind; how many tasks were handed on. */
export async function endDrains(db: Executor): Promise<number> {
  const [row] = await db.run<{ taken: number }>(sql`select drover.end_drains() as taken`);
  return row?.taken ?? 0;
}

export interface NodeTaskRow {
  task_id: string;
  /** The id that the client chose; null: the text form of task_id. */
  name: string | null;
  timeout_seconds: number;
  elapsed_seconds: number;
  /** Of the last tasks of its queue that completed; null: none did lately. */
  median_seconds: number | null;
}

/** What runs on a node, and how long its like took: the last 2,000 tasks that ended are looked at, whatever their queue. */
export function listNodeTasks(db: Executor, holderId: number): Promise<NodeTaskRow[]> {
  return db.run(sql`
    with lease as materialized (
      select l.task_id, l.queue_id, l.started_at from drover.task_lease l where l.holder_id = ${holderId}
    ), ended as materialized (
      select f.task_id, extract(epoch from f.finished_at - f.started_at)::float8 as seconds, f.state
        from drover.task_final f order by f.task_id desc limit 2000
    ), usual as (
      select t.queue_id, percentile_cont(0.5) within group (order by e.seconds) as seconds
        from ended e join drover.task t on t.id = e.task_id
       where e.state = 'completed' and t.queue_id in (select queue_id from lease)
       group by t.queue_id
    )
    select l.task_id, t.name, t.timeout_seconds, extract(epoch from now() - l.started_at)::float8 as elapsed_seconds,
           u.seconds as median_seconds
      from lease l join drover.task t on t.id = l.task_id left join usual u on u.queue_id = l.queue_id
     order by l.task_id`);
}

export interface NodeReplicaRow {
  id: string;
  /** As environment/service/number. */
  name: string;
  is_stopped: boolean;
  /** How long it took to become healthy the last time; null: not known. */
  start_seconds: number | null;
}

/** What a node keeps running. */
export function listNodeReplicas(db: Executor, holderId: number): Promise<NodeReplicaRow[]> {
  return db.run(sql`
    select r.id, e.name || '/' || s.name || '/' || r.number as name,
           r.wanted = 'stopped' as is_stopped,
           case when t.healthy_since >= t.started_at then extract(epoch from t.healthy_since - t.started_at)::float8 end as start_seconds
      from drover.replica r
      join drover.service s on s.id = r.service_id
      join drover.environment e on e.id = r.environment_id
      left join drover.replica_status t on t.replica_id = r.id
     where r.holder_id = ${holderId} and r.wanted <> 'gone'
     order by e.name, s.name, r.number`);
}
