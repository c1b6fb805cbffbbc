import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface NodeGpuRow {
  node: string;
  uuid: string;
  kind: "whole" | "mig" | "shared";
  vendor: "nvidia" | "amd";
  number: number;
  model: string;
  memory_mib: number;
  driver: string;
  profile: string | null;
  parent_uuid: string | null;
  slot_count: number;
  state: "ready" | "cordoned" | "gone";
  evidence: string | null;
  utilization_percent: number | null;
  /** A task by its key and the id that its client chose, or a replica as environment/service/number. */
  holders: {
    slot: number;
    taskKey: string | null;
    taskName: string | null;
    replica: string | null;
    memoryMib: number | null;
  }[];
}

/** GPUs of all nodes, or of one, with who holds their slots. */
export function listNodeGpus(
  db: Executor,
  { node, uuid }: { node?: string | undefined; uuid?: string | undefined } = {},
): Promise<NodeGpuRow[]> {
  return db.run(sql`
    select h.name as node, g.uuid, g.kind, g.vendor, g.number, g.model, g.memory_mib, g.driver, g.profile, g.parent_uuid,
           g.slot_count, g.state, g.evidence, g.utilization_percent,
           coalesce((
             select json_agg(json_build_object('slot', a.slot, 'taskKey', a.task_id::text, 'taskName', t.name,
                 'replica', e.name || '/' || s.name || '/' || r.number, 'memoryMib', a.memory_mib) order by a.slot)
               from drover.gpu_allocation a
               left join drover.task t on t.id = a.task_id
               left join drover.replica r on r.id = a.replica_id
               left join drover.service s on s.id = r.service_id
               left join drover.environment e on e.id = r.environment_id
              where a.gpu_id = g.id), '[]') as holders
      from drover.gpu g join drover.holder h on h.id = g.holder_id
     where h.kind = 'node' and h.removed_at is null
       and (${node ?? null}::text is null or h.name = ${node ?? null}::text)
       and (${uuid ?? null}::text is null or g.uuid = ${uuid ?? null}::text)
     order by h.name, g.vendor, g.number, g.uuid`);
}

/** Keeps everything off a GPU; false when there is none of that UUID. */
export async function cordonNodeGpu(db: Executor, actor: string, uuid: string, reason: string): Promise<boolean> {
  const rows = await db.run(sql`
    with cordoned as (
      update drover.gpu g
         set state = case g.state when 'gone' then g.state else 'cordoned' end, cordoned_at = coalesce(g.cordoned_at, now()), evidence = ${reason}
        from drover.holder h
       where h.id = g.holder_id and h.removed_at is null and g.uuid = ${uuid}
      returning g.holder_id, h.namespace_id
    ), told as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), c.namespace_id, 'gpu.cordoned', ${actor},
             json_build_object('holder', c.holder_id, 'uuid', ${uuid}::text, 'evidence', ${reason}::text)
        from cordoned c
    )
    select holder_id from cordoned`);
  return rows.length > 0;
}

/** Gives a GPU back to placement; one that its node finds unusable is cordoned again by the next inventory. */
export async function uncordonNodeGpu(db: Executor, actor: string, uuid: string): Promise<boolean> {
  const rows = await db.run(sql`
    with freed as (
      update drover.gpu g
         set state = case g.state when 'gone' then g.state else 'ready' end, cordoned_at = null,
             evidence = case g.state when 'gone' then g.evidence end
        from drover.holder h
       where h.id = g.holder_id and h.removed_at is null and g.uuid = ${uuid}
      returning g.holder_id, h.namespace_id
    ), told as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), f.namespace_id, 'gpu.ready', ${actor}, json_build_object('holder', f.holder_id, 'uuid', ${uuid}::text)
        from freed f
    )
    select holder_id from freed`);
  return rows.length > 0;
}
