import { eq, sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import { namespace } from "../schema/namespace.ts";
import { select } from "./select.ts";

/** The id of a namespace; undefined when there is none. */
export async function findNamespace(db: Executor, name: string): Promise<number | undefined> {
  const [row] = await db.run<{ id: number }>(
    select.select({ id: namespace.id }).from(namespace).where(eq(namespace.name, name)),
  );
  return row?.id;
}

/** The queue of a class, an executor and a task type (empty unless the executor is worker), made on first use. */
export async function ensureQueue(
  db: Executor,
  queue: { namespaceId: number; classId: number; executor: string; taskType: string },
): Promise<number> {
  const find = sql`
    select id from drover.queue
     where class_id = ${queue.classId} and executor = ${queue.executor} and task_type = ${queue.taskType}`;
  const [known] = await db.run<{ id: number }>(find);
  if (known !== undefined) return known.id;
  await db.run(sql`
    insert into drover.queue (namespace_id, class_id, executor, task_type)
    values (${queue.namespaceId}, ${queue.classId}, ${queue.executor}, ${queue.taskType})
    on conflict on constraint queue_is_unique do nothing`);
  const [made] = await db.run<{ id: number }>(find);
  if (made === undefined) throw new Error("a queue that was just inserted is missing");
  return made.id;
}

/** Whether a live worker has a handler for a type. */
export async function hasWorkerFor(db: Executor, namespaceId: number, taskType: string): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(sql`
    select exists (
      select from drover.holder h join drover.holder_lease l on l.holder_id = h.id
       where h.namespace_id = ${namespaceId} and h.kind = 'worker' and l.expires_at > now()
         and (${taskType} = any (h.task_types) or '*' = any (h.task_types))) as found`);
  return row?.found ?? false;
}
