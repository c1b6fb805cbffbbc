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
  running: string;
}

/** Nodes by name; those without a lease are lost, whatever was last written of them. */
export function listNodes(db: Executor, namespaceId: number, name?: string): Promise<NodeRow[]> {
  return db.run(sql`
    select h.id, h.name, case when l.expires_at > now() then h.state else 'lost' end as state, h.epoch, h.slots, h.executors,
           h.facts, h.version, h.joined_at, l.expires_at as lease_expires_at,
           (select count(*) from drover.task_lease t where t.holder_id = h.id) as running
      from drover.holder h left join drover.holder_lease l on l.holder_id = h.id
     where h.namespace_id = ${namespaceId} and h.kind = 'node'
       and (${name ?? null}::text is null or h.name = ${name ?? null}::text)
     order by h.name`);
}

/** Makes a database login that may act for one node and nothing else, or gives it a new password. */
export async function ensureNodeLogin(
  db: Executor,
  namespaceId: number,
  name: string,
  password: string,
): Promise<string> {
  const [row] = await db.run<{ login: string }>(
    sql`select drover.ensure_node_login(${namespaceId}, ${name}, ${password}) as login`,
  );
  if (row === undefined) throw new Error("drover.ensure_node_login returned no row");
  return row.login;
}
