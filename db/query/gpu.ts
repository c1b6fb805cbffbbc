import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface GpuFigures {
  /** Physical GPUs of nodes that are alive; of nodes that have told no inventory, what their facts say. */
  total: number;
  /** Of them: slots, or slices, that can be given away, and that are. */
  slots: number;
  taken: number;
  /** How busy they are, 0 to 1, as the nodes last measured; undefined: nobody did. */
  utilization: number | undefined;
  /** How long tasks that ask for GPUs have waited for a place, in seconds: the oldest one. */
  oldestWaitSeconds: number;
}

/** What GPUs there are and how far they are used, over all namespaces. */
export async function gpuFigures(db: Executor): Promise<GpuFigures> {
  const [row] = await db.run<{
    total: string;
    slots: string;
    taken: string;
    utilization: number | null;
    wait_seconds: number | null;
  }>(sql`
    with alive as materialized (
      select h.id, h.facts ->> 'gpu_count' as told
        from drover.holder h join drover.holder_lease l on l.holder_id = h.id and l.expires_at > now()
       where h.kind = 'node' and h.removed_at is null
    ), found as (
      select g.* from drover.gpu g join alive a on a.id = g.holder_id where g.state <> 'gone'
    )
    select (select count(distinct (f.holder_id, coalesce(f.parent_uuid, f.uuid))) from found f)
             + coalesce((select sum(case when a.told ~ '^[0-9]{1,4}$' then a.told::integer end) from alive a
                 where not exists (select from drover.gpu g where g.holder_id = a.id)), 0) as total,
           coalesce((select sum(f.slot_count) from found f where f.state = 'ready'), 0) as slots,
           (select count(*) from drover.gpu_allocation a join found f on f.id = a.gpu_id where f.state = 'ready') as taken,
           (select avg(f.utilization_percent)::float8 / 100 from found f where f.utilization_percent is not null) as utilization,
           (select extract(epoch from now() - to_timestamp(((min(w.task_id) >> 22) + 1577836800000) / 1000.0))::float8
              from (
                select r.task_id
                  from drover.queue q
                  join drover.class c on c.id = q.class_id and c.name like 'gpu%'
                  join drover.task_ready r on r.queue_id = q.id
                union all
                -- Of other classes those of the first in line that ask for GPUs.
                select r.task_id
                  from drover.queue q
                  join drover.class c on c.id = q.class_id and c.name not like 'gpu%'
                 cross join lateral (
                   select r.task_id from drover.task_ready r where r.queue_id = q.id order by r.sort_key, r.task_id limit 200) r
                  join drover.task t on t.id = r.task_id
                 where q.task_type = 'placed' and q.executor in ('docker', 'process')
                   and coalesce(drover.token_count(t.execution -> 'resources' -> 'gpuCount'), 0) > 0) w) as wait_seconds`);
  return {
    total: Number(row?.total ?? 0),
    slots: Number(row?.slots ?? 0),
    taken: Number(row?.taken ?? 0),
    utilization: row?.utilization ?? undefined,
    oldestWaitSeconds: Math.max(0, row?.wait_seconds ?? 0),
  };
}
