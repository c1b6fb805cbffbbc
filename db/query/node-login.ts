import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/**
 * Makes or takes over the row of a node that joins; a new one is noted under the namespace. Undefined when the name is in use. It is where its agent lives or may
 * still live, and where somebody joined whose agent was not started yet, unless `isForName`: the token is for this name.
 */
export async function claimNodeName(
  db: Executor,
  namespaceId: number,
  node: { name: string; labels: Record<string, string>; taints: readonly string[]; isForName: boolean },
): Promise<number | undefined> {
  const [row] = await db.run<{ id: number }>(sql`
    insert into drover.holder as h (namespace_id, kind, name, state, labels, taints)
    values (drover.node_namespace(${namespaceId}, ${node.name}), 'node', ${node.name}, 'lost', ${JSON.stringify(node.labels)}::jsonb, ${sql.param(node.taints)}::text[])
    on conflict on constraint holder_name_is_unique do update
       set labels = h.labels || excluded.labels, taints = array(select distinct t from unnest(h.taints || excluded.taints) t order by t)
     where h.login is null or h.removed_at is not null
        or ((h.epoch > 0 or ${node.isForName}::boolean) and not exists (select from drover.holder_lease l where l.holder_id = h.id))
    returning h.id`);
  return row?.id;
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

/** Takes the login of a node away; false where it has none. What it holds is handed on when its lease has run out. */
export async function revokeNodeLogin(db: Executor, holderId: number, actor: string): Promise<boolean> {
  const [row] = await db.run<{ revoked: boolean }>(
    sql`select drover.revoke_node_login(${holderId}, ${actor}) as revoked`,
  );
  return row?.revoked ?? false;
}

/** Ends the sessions of a node whose login was taken away; how many. Not in the transaction that did so. */
export async function endNodeSessions(db: Executor, holderId: number): Promise<number> {
  const [row] = await db.run<{ ended: number }>(sql`select drover.end_node_sessions(${holderId}) as ended`);
  return row?.ended ?? 0;
}

/** Lets no new session of a node in. Not in the transaction that takes its login away: that may have to wait for one. */
export async function barNode(db: Executor, holderId: number): Promise<void> {
  await db.run(sql`select drover.bar_node(${holderId})`);
}

/** Drops the role of a node that has no login any more. */
export async function dropNodeRole(db: Executor, holderId: number): Promise<void> {
  await db.run(sql`select drover.drop_node_role(${holderId})`);
}

/** Forgets a node. busy: it lives and holds work, and was left alone. */
export async function removeNode(
  db: Executor,
  holderId: number,
  { isForced, actor }: { isForced: boolean; actor: string },
): Promise<"removed" | "busy" | undefined> {
  const [row] = await db.run<{ verdict: "removed" | "busy" | null }>(
    sql`select drover.remove_node(${holderId}, ${isForced}, ${actor}) as verdict`,
  );
  return row?.verdict ?? undefined;
}
