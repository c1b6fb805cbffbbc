import { inventory, type InventoryGpu } from "@drover/db/node/inventory";
import { report } from "@drover/db/node/replica";
import { register } from "@drover/db/node/register";
import { sync } from "@drover/db/node/sync";
import { findClass } from "@drover/db/query/class";
import { ensureQueue } from "@drover/db/query/queue";
import { openTestQueue, type TestHolder, type TestQueue } from "@drover/db/testing-queue";
import type { Service } from "@drover/domain/environment/declaration";
import type { Execution } from "@drover/domain/execution";
import { sql } from "drizzle-orm";
import { createPlace, type Placed, type PlaceOptions } from "./place.ts";

/** A database with nodes and tasks that have to be placed: what tests of placement do again and again. */
export interface TestFleet {
  queue: TestQueue;
  /** A node with so many whole GPUs, whose uuids begin with its name, and four slots of class gpu. */
  node(
    name: string,
    gpus?: number,
    options?: { slots?: Record<string, number>; labels?: Record<string, string> },
  ): Promise<TestHolder>;
  /** Submits a task of class gpu; its key. */
  task(execution?: Partial<Execution>, options?: { priority?: number; className?: string }): Promise<string>;
  /** An environment of services, each with one replica; the replicas' ids by service. */
  environment(
    name: string,
    services: Record<string, Partial<Service>>,
    options?: { isTogether?: boolean },
  ): Promise<Record<string, string>>;
  /** The wanted replicas of a service, as `node state`, oldest first; leaving ones in brackets. */
  replicas(service: string): Promise<string[]>;
  /** The replica runs, as its node would say. */
  says(holder: TestHolder, replicaId: string, state?: "running" | "gone"): Promise<boolean>;
  place(options?: Omit<PlaceOptions, "deps">): Promise<Placed>;
  /** What the node claims when it syncs. */
  claim(holder: TestHolder): Promise<{ task_id: string; fence: string; gpus: string[] }[]>;
  /** Tasks by the node that they are placed on: `key -> holder id`. */
  placements(): Promise<Map<string, number>>;
  /** Moves time on for a task that waits, a placement or a node. */
  age(what: "placements" | "tasks", seconds: number): Promise<void>;
  /** As the sweep does when a node has not been heard of. */
  lose(holder: TestHolder, secondsAgo?: number): Promise<void>;
  /** Takes everything back but the classes. */
  clear(): Promise<void>;
  run<Row>(statement: ReturnType<typeof sql>): Promise<Row[]>;
  close(): Promise<void>;
}

/** Opens it on a database of its own. */
export async function openTestFleet(): Promise<TestFleet> {
  const queue = await openTestQueue();
  const { db, context } = queue;
  const fleet: TestFleet = {
    queue,
    async node(name, gpus = 0, { slots = { gpu: 4 }, labels = {} } = {}) {
      const facts = { cpu_cores: "16", memory_bytes: String(64 * 2 ** 30) };
      const registration = {
        kind: "node",
        name,
        namespace: "default",
        executors: ["docker"],
        taskTypes: [],
        classes: null,
      } as const;
      const holder = await register(db, {
        ...registration,
        executors: ["docker"],
        taskTypes: [],
        slots,
        facts,
        version: "test",
      });
      await inventory(db, holder, {
        gpus: Array.from({ length: gpus }, (_, number) => testGpu(name, number)),
        images: [],
        models: [],
      });
      await db.run(
        sql`update drover.holder h set labels = ${JSON.stringify(labels)}::jsonb where h.id = ${holder.holderId}`,
      );
      return holder;
    },
    async task(execution = { resources: { gpuCount: 1 } }, { priority, className = "gpu" } = {}) {
      const row = await findClass(db, context.namespaceId, className);
      const place = { namespaceId: context.namespaceId, classId: row?.id ?? 0, executor: "docker", taskType: "placed" };
      const body = JSON.stringify({ image: "busybox", command: ["true"], ...execution });
      const [key] = await queue.submit([{ queueId: await ensureQueue(db, place), execution: body, priority }]);
      if (key === undefined) throw new Error("expected a key of the task that was submitted");
      return key;
    },
    async environment(name, services, { isTogether = false } = {}) {
      const { namespaceId } = context;
      const [environment] = await db.run<{ id: number }>(sql`
        insert into drover.environment (namespace_id, name, generation) values (${namespaceId}, ${name}, 1) returning id`);
      const id = environment?.id ?? 0;
      await db.run(sql`
        insert into drover.environment_generation (environment_id, generation, source, declaration, actor)
        values (${id}, 1, '', ${JSON.stringify({ name, isTogether })}::json, 'test')`);
      const ids: Record<string, string> = {};
      for (const [service, rest] of Object.entries(services)) {
        const spec = JSON.stringify({ service: testService(service, rest), networks: [], volumes: [] });
        const [row] = await db.run<{ id: string }>(sql`
          with service as (
            insert into drover.service (environment_id, name) values (${id}, ${service}) returning id
          )
          insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash)
          select drover.next_id(), ${namespaceId}, ${id}, s.id, 1, 1, ${spec}::json, 'hash' from service s returning id`);
        ids[service] = row?.id ?? "";
      }
      return ids;
    },
    async replicas(service) {
      const rows = await db.run<{ line: string }>(sql`
        select case when r.is_leaving then '(' || coalesce(h.name, '-') || ' ' || r.wanted || ')'
                    else coalesce(h.name, '-') || ' ' || r.wanted end as line
          from drover.replica r
          join drover.service s on s.id = r.service_id and s.name = ${service}
          left join drover.holder h on h.id = r.holder_id
         order by r.id`);
      return rows.map(({ line }) => line);
    },
    says: (holder, replicaId, state = "running") => report(db, holder, [{ replicaId, state }]),
    place: (options = {}) => createPlace({ deps: { db }, ...options })(),
    async claim(holder) {
      const answer = await sync(db, holder, { gpu: 4 }, false);
      if (answer.status !== "ok") throw new Error(`expected a lease, got ${answer.status}`);
      return answer.claims.map(({ task_id, fence, gpus }) => ({
        task_id,
        fence,
        gpus: (gpus ?? []).map(({ uuid }) => uuid),
      }));
    },
    async placements() {
      const rows = await db.run<{ task_id: string; holder_id: number }>(
        sql`select p.task_id, p.holder_id from drover.task_placement p`,
      );
      return new Map(rows.map((row) => [row.task_id, row.holder_id]));
    },
    async age(what, seconds) {
      const by = sql`${seconds} * interval '1 second'`;
      if (what === "placements")
        return void (await db.run(sql`update drover.task_placement set placed_at = placed_at - ${by}`));
      // A task's time is in its key.
      const shift = sql`((${seconds} * 1000)::bigint << 22)`;
      await db.run(sql`update drover.task set id = id - ${shift}`);
      await db.run(
        sql`update drover.task_ready set task_id = task_id - ${shift}, sort_key = sort_key - ${seconds} * 1000`,
      );
    },
    async lose({ holderId }, secondsAgo = 0) {
      await db.run(sql`delete from drover.holder_lease l where l.holder_id = ${holderId}`);
      await db.run(sql`
        update drover.holder h set state = 'lost', lost_at = now() - ${secondsAgo} * interval '1 second' where h.id = ${holderId}`);
    },
    async clear() {
      await db.run(sql`truncate drover.task, drover.task_ready, drover.task_waiting, drover.task_lease, drover.task_final,
        drover.task_attempt, drover.task_placement, drover.gpu_allocation, drover.replica, drover.environment cascade`);
      await db.run(sql`delete from drover.holder`);
      await db.run(sql`update drover.class set paused_at = null, concurrency_limit = null`);
    },
    run: (statement) => db.run(statement),
    close: () => queue.close(),
  };
  return fleet;
}

/** A service that asks for nothing, but as told. */
export function testService(name: string, rest: Partial<Service> = {}): Service {
  return {
    name,
    image: "busybox",
    pull: "missing",
    env: {},
    ports: [],
    mounts: [],
    networks: [],
    dependsOn: [],
    isRequired: true,
    restart: { when: "always", baseDelaySeconds: 1, maxDelaySeconds: 60 },
    resources: {},
    replicas: 1,
    placement: { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [] },
    update: { maxUnavailable: 1, healthySeconds: 1, onFailure: "pause" },
    onDisconnect: { kind: "stop" },
    stopGraceSeconds: 10,
    isReadOnlyRoot: false,
    labels: {},
    ...rest,
  };
}

/** A whole GPU of 80 GB as nodes tell of it. */
export function testGpu(node: string, number: number, rest: Partial<InventoryGpu> = {}): InventoryGpu {
  const uuid = `GPU-${node}-${number}`;
  return {
    uuid,
    kind: "whole",
    vendor: "nvidia",
    number,
    model: "NVIDIA H100 80GB HBM3",
    memoryMib: 81_559,
    slotCount: 1,
    isUsable: true,
    ...rest,
  };
}
