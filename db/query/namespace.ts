import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface NamespaceRow {
  name: string;
  created_at: Date;
}

/** Makes a namespace with the classes of a new installation; undefined when the name is taken. */
export async function insertNamespace(db: Executor, name: string, actor: string): Promise<NamespaceRow | undefined> {
  const [row] = await db.run<NamespaceRow>(sql`
    with made as (
      insert into drover.namespace (name) values (${name}) on conflict (name) do nothing returning id, name, created_at
    ), classes as (
      insert into drover.class (namespace_id, name)
      select made.id, c from made, unnest(array['cpu_short', 'cpu_long', 'gpu', 'gpu_slurm']) as c
    ), told as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), made.id, 'namespace.created', ${actor}, json_build_object('name', made.name) from made
    )
    select name, created_at from made`);
  return row;
}

/** All namespaces by name. */
export function listNamespaces(db: Executor): Promise<NamespaceRow[]> {
  return db.run(sql`select name, created_at from drover.namespace order by name`);
}
