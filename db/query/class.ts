import { and, eq, sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import { taskClass } from "../schema/class.ts";
import { select } from "./select.ts";

export interface ClassRow {
  id: number;
  name: string;
  concurrency_limit: number | null;
  depth_limit: string | null;
  default_image: string | null;
  paused: boolean;
  waiting: string;
  pending: string;
  running: string;
}

export interface ClassSettings {
  concurrencyLimit?: number | undefined;
  depthLimit?: bigint | undefined;
  defaultImage?: string | undefined;
}

/** Creates a class; undefined when the name is taken. */
export async function insertClass(
  db: Executor,
  namespaceId: number,
  name: string,
  settings: ClassSettings,
): Promise<number | undefined> {
  const [row] = await db.run<{ id: number }>(sql`
    insert into drover.class (namespace_id, name, concurrency_limit, depth_limit, default_image)
    values (${namespaceId}, ${name}, ${settings.concurrencyLimit ?? null}, ${settings.depthLimit?.toString() ?? null},
      ${settings.defaultImage ?? null})
    on conflict on constraint class_name_is_unique do nothing
    returning id`);
  return row?.id;
}

/** The classes of a namespace with what waits and runs in them; counting reads the hot tables, so not for a hot path. */
export function listClasses(db: Executor, namespaceId: number, name?: string): Promise<ClassRow[]> {
  return db.run(sql`
    select c.id, c.name, c.concurrency_limit, c.depth_limit, c.default_image, c.paused_at is not null as paused,
           (select count(*) from drover.task_waiting w join drover.queue q on q.id = w.queue_id where q.class_id = c.id) as waiting,
           (select count(*) from drover.task_ready r join drover.queue q on q.id = r.queue_id where q.class_id = c.id) as pending,
           (select count(*) from drover.task_lease l join drover.queue q on q.id = l.queue_id where q.class_id = c.id) as running
      from drover.class c
     where c.namespace_id = ${namespaceId}
       and (${name ?? null}::text is null or c.name = ${name ?? null}::text)
     order by c.name`);
}

/** What submits need to know of a class; undefined when there is none. */
export async function findClass(
  db: Executor,
  namespaceId: number,
  name: string,
): Promise<Pick<typeof taskClass.$inferSelect, "id" | "default_image" | "depth_limit"> | undefined> {
  const { id, default_image, depth_limit } = taskClass;
  const [row] = await db.run<Pick<typeof taskClass.$inferSelect, "id" | "default_image" | "depth_limit">>(
    select
      .select({ id, default_image, depth_limit })
      .from(taskClass)
      .where(and(eq(taskClass.namespace_id, namespaceId), eq(taskClass.name, name))),
  );
  return row;
}

/** Pauses or resumes; false when there is no such class. */
export async function setPaused(db: Executor, namespaceId: number, name: string, isPaused: boolean): Promise<boolean> {
  const rows = await db.run(sql`
    update drover.class
       set paused_at = case when ${isPaused}::boolean then coalesce(paused_at, now()) end
     where namespace_id = ${namespaceId} and name = ${name}
    returning id`);
  return rows.length > 0;
}

/**
 * Sets or lifts the concurrency limit; false when there is no such class. Holds the class's lock exclusively, so that
 * no claim is under way, and makes slots of what already runs.
 */
export async function setConcurrencyLimit(
  db: Executor,
  namespaceId: number,
  name: string,
  limit: number | null,
): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(
    sql`select drover.set_class_limit(${namespaceId}, ${name}, ${limit}::integer) as found`,
  );
  return row?.found ?? false;
}

/** How many tasks are pending in a class, counted no further than `ceiling`. */
export async function countPending(db: Executor, classId: number, ceiling: number): Promise<number> {
  const [row] = await db.run<{ count: string }>(sql`
    select count(*) as count
      from (select 1 from drover.task_ready r join drover.queue q on q.id = r.queue_id
             where q.class_id = ${classId} limit ${ceiling}) as counted`);
  return Number(row?.count ?? 0);
}
