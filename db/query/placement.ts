import type { Execution } from "@drover/domain/execution";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** Whether this transaction is the only one that places; it stays so to its end. */
export async function lockPlacing(tx: Executor): Promise<boolean> {
  const [row] = await tx.run<{ is_ours: boolean }>(sql`select pg_try_advisory_xact_lock(1146244950, 3) as is_ours`);
  return row?.is_ours ?? false;
}

/** Whether anything is to be placed, moved or taken back. Reads a handful of index entries where nothing is. */
export async function placementOutlook(db: Executor): Promise<{ isDue: boolean }> {
  const [row] = await db.run<{ is_due: boolean }>(sql`
    select exists (select from drover.task_placement p where p.fence is null)
        or exists (
             select from drover.queue q
              where q.task_type = 'placed' and q.executor in ('docker', 'process')
                and exists (select from drover.task_ready r where r.queue_id = q.id))
        or exists (select from drover.replica r where r.holder_id is null and r.wanted = 'running' or r.is_leaving or r.wanted = 'gone')
        or exists (
             select from drover.holder h
              where h.kind = 'node' and (h.state = 'lost' or h.drain_requested_at is not null or h.removed_at is not null)
                and exists (select from drover.replica r where r.holder_id = h.id))
        or exists (
             select from drover.gpu g join drover.gpu_allocation a on a.gpu_id = g.id
              where g.state <> 'ready' and a.replica_id is not null) as is_due`);
  return { isDue: row?.is_due ?? false };
}

/** A task that waits for a place. */
export interface PendingRow {
  task_id: string;
  queue_id: number;
  sort_key: string;
  namespace_id: number;
  class_id: number;
  class: string;
  executor: "docker" | "process";
  waited_seconds: number;
  execution: Pick<Execution, "image" | "resources" | "placement" | "gang">;
  /** Of a member of a gang: it has run before, so that the others need not be pending with it. */
  has_started: boolean;
}

/** Where a page of pending tasks ended. */
export interface PendingCursor {
  sortKey: string;
  taskId: string;
}

/** Pending tasks without a place, in order over all queues of classes that are not paused; a page after a cursor. */
export function pendingPage(tx: Executor, limit: number, after: PendingCursor | undefined): Promise<PendingRow[]> {
  const cursor = after === undefined ? sql`` : sql`and (r.sort_key, r.task_id) > (${after.sortKey}, ${after.taskId})`;
  return tx.run(sql`
    with line as materialized (
      select r.task_id, r.queue_id, r.sort_key, r.attempt, q.namespace_id, q.class_id, q.executor, c.name as class
        from drover.queue q
        join drover.class c on c.id = q.class_id and c.paused_at is null
       cross join lateral (
         select r.task_id, r.queue_id, r.sort_key, r.attempt
           from drover.task_ready r
          where r.queue_id = q.id ${cursor}
            and not exists (select from drover.task_placement p where p.task_id = r.task_id)
          order by r.sort_key, r.task_id limit ${limit}) r
       where q.task_type = 'placed' and q.executor in ('docker', 'process')
       order by r.sort_key, r.task_id
       limit ${limit}
    )
    select l.task_id, l.queue_id, l.sort_key, l.namespace_id, l.class_id, l.class, l.executor,
           extract(epoch from now())::float8 - ((l.task_id >> 22) + 1577836800000) / 1000.0::float8 as waited_seconds,
           ${placedExecution} as execution,
           t.execution -> 'gang' is not null
             and (l.attempt > 0 or exists (select from drover.task_attempt a where a.task_id = l.task_id)) as has_started
      from line l
     cross join lateral (select t.execution from drover.task t where t.id = l.task_id offset 0) t
     order by l.sort_key, l.task_id`);
}

/** What placement reads of an execution. */
const placedExecution = sql`json_strip_nulls(json_build_object('image', t.execution -> 'image', 'resources', t.execution -> 'resources',
  'placement', t.execution -> 'placement', 'gang', t.execution -> 'gang'))`;

/** What is known of a task that has to be placed. */
export interface PlacedTaskFacts extends Pick<PendingRow, "namespace_id" | "class" | "executor" | "execution"> {
  /** The node that it is placed on. */
  node: string | null;
  /** It ran before: its gang need not be whole. */
  has_started: boolean;
  /** Members of its gang that are pending, placed or run; null where it has none. */
  gang_present: number | null;
}

/** Of a pending task; undefined where nothing of it has to be placed. */
export async function placedTaskFacts(db: Executor, taskId: string): Promise<PlacedTaskFacts | undefined> {
  const [row] = await db.run<PlacedTaskFacts>(sql`
    select q.namespace_id, c.name as class, q.executor, ${placedExecution} as execution, h.name as node,
           exists (select from drover.task_attempt a where a.task_id = t.id) as has_started,
           case when t.execution -> 'gang' is not null then (
             select count(*)
               from (
                 select r.task_id from drover.queue o join drover.task_ready r on r.queue_id = o.id
                  where o.namespace_id = q.namespace_id and o.task_type = 'placed' and o.executor in ('docker', 'process')
                 union
                 select p.task_id from drover.task_placement p) m
              cross join lateral (
                select o.execution, o.namespace_id from drover.task o where o.id = m.task_id offset 0) o
              where o.namespace_id = q.namespace_id and o.execution -> 'gang' ->> 'name' = t.execution -> 'gang' ->> 'name')::integer
           end as gang_present
      from drover.task t
      join drover.queue q on q.id = t.queue_id and q.task_type = 'placed' and q.executor in ('docker', 'process')
      join drover.class c on c.id = q.class_id
      left join drover.task_placement p on p.task_id = t.id
      left join drover.holder h on h.id = p.holder_id
     where t.id = ${taskId}`);
  return row;
}

/** A task and where it goes; tasks of one group go all or none. */
export interface TaskPlace {
  row: Pick<PendingRow, "task_id" | "queue_id" | "sort_key">;
  group: number | undefined;
  place: Place;
}

export interface Place {
  nodeId: number;
  gpus: readonly { gpuId: number; slot: number; memoryMib?: number }[];
}

/** Writes where tasks go; the ids of those that were pending still. A slot that is taken already fails it as a whole. */
export async function placeTasks(tx: Executor, places: readonly TaskPlace[]): Promise<string[]> {
  if (places.length === 0) return [];
  const column = <T>(value: (one: TaskPlace) => T) => sql.param(places.map(value));
  const [row] = await tx.run<{ ids: string[] }>(sql`
    select drover.place_tasks(${column(({ row: task }) => task.task_id)}::bigint[], ${column(({ row: task }) => task.queue_id)}::integer[],
      ${column(({ row: task }) => task.sort_key)}::bigint[], ${column(({ place }) => place.nodeId)}::integer[],
      ${column(({ group }) => group ?? null)}::integer[],
      ${slotColumns(places.map(({ row: task, place }) => ({ id: task.task_id, place })))}) as ids`);
  return row?.ids ?? [];
}

/** A replica, the node that it leaves, if any, and where it goes. */
export interface ReplicaPlace {
  id: string;
  fromId: number | null;
  place: Place;
}

/** Writes where replicas go; the ids of those that were placed. */
export async function placeReplicas(tx: Executor, places: readonly ReplicaPlace[]): Promise<string[]> {
  if (places.length === 0) return [];
  const [row] = await tx.run<{ ids: string[] }>(sql`
    select drover.place_replicas(${sql.param(places.map(({ id }) => id))}::bigint[], ${sql.param(places.map(({ fromId }) => fromId))}::integer[],
      ${sql.param(places.map(({ place }) => place.nodeId))}::integer[], ${slotColumns(places)}) as ids`);
  return row?.ids ?? [];
}

/** Takes back placements that nobody will claim; how many. */
export async function takeBackPlacements(tx: Executor): Promise<number> {
  const [row] = await tx.run<{ count: number }>(sql`select drover.take_back_placements() as count`);
  return row?.count ?? 0;
}

/** Moves replicas off nodes that are lost, removed or drained, and forgets those that are gone. */
export async function moveReplicas(tx: Executor): Promise<{ changed: number; leaving: number }> {
  const [row] = await tx.run<{ changed: number; leaving: number }>(
    sql`select changed, leaving from drover.move_replicas()`,
  );
  return row ?? { changed: 0, leaving: 0 };
}

/** Four parallel arrays: an owner once for each slot that it gets. */
function slotColumns(places: readonly { id: string; place: Place }[]) {
  const slots = places.flatMap(({ id, place }) => place.gpus.map((gpu) => ({ id, ...gpu })));
  return sql`${sql.param(slots.map(({ id }) => id))}::bigint[], ${sql.param(slots.map(({ gpuId }) => gpuId))}::integer[],
    ${sql.param(slots.map(({ slot }) => slot))}::integer[], ${sql.param(slots.map(({ memoryMib }) => memoryMib ?? null))}::integer[]`;
}
