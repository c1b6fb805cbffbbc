import type { Execution } from "@drover/domain/execution";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A node as placement reads it. */
export interface FleetNodeRow {
  id: number;
  name: string;
  state: "ready" | "draining" | "lost";
  is_cordoned: boolean;
  labels: Record<string, string>;
  taints: string[];
  executors: string[];
  slots: Record<string, number>;
  cpu_cores: string | null;
  memory_bytes: string | null;
  images: string[];
  models: string[];
}

/** Nodes that were not removed; those that drain or have fallen silent are told as such. */
export function fleetNodes(db: Executor): Promise<FleetNodeRow[]> {
  return db.run(sql`
    select h.id, h.name,
           case when l.holder_id is null or l.expires_at <= now() then 'lost'
                when h.drain_requested_at is not null then 'draining' else h.state end as state,
           h.cordoned_at is not null as is_cordoned, h.labels, h.taints, h.executors, h.slots,
           h.facts ->> 'cpu_cores' as cpu_cores, h.facts ->> 'memory_bytes' as memory_bytes, h.images, h.models
      from drover.holder h
      left join drover.holder_lease l on l.holder_id = h.id
     where h.kind = 'node' and h.removed_at is null`);
}

export interface FleetGpuRow {
  id: number;
  holder_id: number;
  uuid: string;
  kind: "whole" | "mig" | "shared";
  model: string;
  memory_mib: number;
  profile: string | null;
  slot_count: number;
  state: "ready" | "cordoned";
  evidence: string | null;
}

/** The GPUs that nodes have. */
export function fleetGpus(db: Executor): Promise<FleetGpuRow[]> {
  return db.run(sql`
    select g.id, g.holder_id, g.uuid, g.kind, g.model, g.memory_mib, g.profile, g.slot_count, g.state, g.evidence
      from drover.gpu g
     where g.state <> 'gone'
     order by g.holder_id, g.number, g.id`);
}

/** A slot of a GPU that is given away. */
export interface FleetAllocationRow {
  gpu_id: number;
  slot: number;
  memory_mib: number | null;
  /** Null: a task has it. */
  replica_id: string | null;
}

/** The slots that are given away. */
export function fleetAllocations(db: Executor): Promise<FleetAllocationRow[]> {
  return db.run(sql`select a.gpu_id, a.slot, a.memory_mib, a.replica_id from drover.gpu_allocation a`);
}

/** What placed tasks were promised: those that run, and those that their nodes have yet to claim. */
export interface FleetTaskRow {
  holder_id: number;
  namespace_id: number;
  class: string;
  class_id: number;
  is_claimed: boolean;
  /** How many are alike. */
  count: number;
  execution: Pick<Execution, "image" | "resources" | "gang">;
}

/** Placed tasks by node and by what they are promised. */
export function fleetTasks(db: Executor): Promise<FleetTaskRow[]> {
  return db.run(sql`
    select p.holder_id, q.namespace_id, c.name as class, c.id as class_id, p.fence is not null as is_claimed, count(*)::integer as count,
           t.told::json as execution
      from drover.task_placement p
      join drover.queue q on q.id = p.queue_id
      join drover.class c on c.id = q.class_id
     cross join lateral (
       select json_build_object('image', t.execution -> 'image', 'gang', t.execution -> 'gang', 'resources',
                json_build_object('cpuMillicores', t.execution -> 'resources' -> 'cpuMillicores',
                  'memoryBytes', t.execution -> 'resources' -> 'memoryBytes'))::text as told
         from drover.task t where t.id = p.task_id offset 0) t
     group by 1, 2, 3, 4, 5, t.told`);
}

/** How many tasks of a class run on a node, placed or not. */
export function fleetLeases(db: Executor): Promise<{ holder_id: number; class: string; count: number }[]> {
  return db.run(sql`
    select l.holder_id, c.name as class, sum(l.count)::integer as count
      from (select l.holder_id, l.queue_id, count(*) as count from drover.task_lease l group by 1, 2) l
      join drover.queue q on q.id = l.queue_id
      join drover.class c on c.id = q.class_id
     group by 1, 2`);
}

/** A replica on a node, with what it takes of it. */
export interface FleetReplicaRow {
  id: string;
  /** As environment/service; in another namespace than `default` its name and a dot stand before that. */
  name: string;
  holder_id: number;
  environment_id: number;
  service_id: number;
  is_leaving: boolean;
  wanted: "running" | "stopped" | "gone";
  resources: { cpuMillicores?: number; memoryBytes?: number };
  ports: { hostPort?: number; hostIp: string; protocol: "tcp" | "udp"; containerPort: number }[];
}

/**
 * All replicas that are on nodes; also those that are to go, until they have. One that is stopped, as its node has told,
 * has given its ports back.
 */
export function fleetReplicas(db: Executor): Promise<FleetReplicaRow[]> {
  return db.run(sql`
    select r.id, case n.name when 'default' then '' else n.name || '.' end || e.name || '/' || s.name as name,
           r.holder_id, r.environment_id, r.service_id, r.is_leaving, r.wanted,
           coalesce(r.spec -> 'service' -> 'resources', '{}') as resources,
           case when drover.has_stopped(r) then '[]' else coalesce(r.spec -> 'service' -> 'ports', '[]') end as ports
      from drover.replica r
      join drover.service s on s.id = r.service_id
      join drover.environment e on e.id = r.environment_id
      join drover.namespace n on n.id = r.namespace_id
     where r.holder_id is not null`);
}

/** How many more tasks may start in classes with a limit, less what is placed and not claimed yet. */
export function classAllowances(db: Executor): Promise<{ class_id: number; allowed: number }[]> {
  return db.run(sql`
    select c.id as class_id,
           (c.concurrency_limit
             - (select count(*) from drover.task_lease l where l.limited_class_id = c.id)
             - (select count(*) from drover.task_placement p join drover.queue q on q.id = p.queue_id
                 where q.class_id = c.id and p.fence is null))::integer as allowed
      from drover.class c
     where c.concurrency_limit is not null`);
}
