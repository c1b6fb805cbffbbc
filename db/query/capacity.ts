import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface ClassCapacity {
  /** Slots on nodes that take work. */
  capacity: number;
  /** Tasks that hold one. */
  in_use: number;
  /** Of all nodes that answer. */
  cpu_cores: number;
  /** Decimal bigint. */
  memory_bytes: string;
  is_paused: boolean;
}

/**
 * What all nodes have for a class, and how much of it is taken. Slots go by the name of a class, so those of one name share
 * them over all namespaces; paused is that of the namespace.
 */
export async function classCapacity(db: Executor, namespaceId: number, className: string): Promise<ClassCapacity> {
  const [row] = await db.run<ClassCapacity>(sql`
    with live as (
      select h.id, h.slots, h.facts, h.state = 'ready' and h.cordoned_at is null and h.drain_requested_at is null as takes_work
        from drover.holder h join drover.holder_lease l on l.holder_id = h.id
       where h.kind = 'node' and h.removed_at is null and l.expires_at > now()
    )
    select coalesce(sum((n.slots ->> ${className})::integer) filter (where n.takes_work), 0)::integer as capacity,
           (select count(*) from drover.task_lease t
              join drover.queue q on q.id = t.queue_id
              join drover.class c on c.id = q.class_id
             where c.name = ${className}
               and t.holder_id in (select w.id from live w where w.takes_work))::integer as in_use,
           coalesce(sum((n.facts ->> 'cpu_cores')::integer), 0)::integer as cpu_cores,
           coalesce(sum((n.facts ->> 'memory_bytes')::bigint), 0)::text as memory_bytes,
           exists (select from drover.class c
                    where c.namespace_id = ${namespaceId} and c.name = ${className} and c.paused_at is not null) as is_paused
      from live n`);
  if (row === undefined) throw new Error("an aggregate returned no row");
  return row;
}
