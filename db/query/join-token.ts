import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface JoinTokenRow {
  id: number;
  node_name: string | null;
  actor: string;
  created_at: Date;
  expires_at: Date;
  used_at: Date | null;
  /** The node's name; null: nobody, or a node that is forgotten. */
  used_by: string | null;
  revoked_at: Date | null;
}

export interface NewJoinToken {
  /** SHA-256 of the token. */
  hash: Uint8Array;
  nodeName?: string | undefined;
  labels: Record<string, string>;
  taints: readonly string[];
  ttlSeconds: number;
}

/** Keeps a new token's digest, and tells of it. */
export async function insertJoinToken(
  db: Executor,
  by: { namespaceId: number; actor: string },
  token: NewJoinToken,
): Promise<JoinTokenRow> {
  const [row] = await db.run<JoinTokenRow>(sql`
    with made as (
      insert into drover.join_token (namespace_id, hash, node_name, labels, taints, actor, expires_at)
      values (${by.namespaceId}, decode(${hex(token.hash)}, 'hex'), ${token.nodeName ?? null}, ${JSON.stringify(token.labels)}::jsonb,
        ${sql.param(token.taints)}::text[], ${by.actor}, now() + ${token.ttlSeconds} * interval '1 second')
      returning *
    ), told as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), m.namespace_id, 'node.token_created', m.actor, json_build_object('id', m.id, 'name', m.node_name) from made m
    )
    select id, node_name, actor, created_at, expires_at, used_at, null as used_by, revoked_at from made`);
  if (row === undefined) throw new Error("the insert of a join token returned no row");
  return row;
}

/** The tokens, newest first; those that ended a month ago are forgotten. */
export function listJoinTokens(db: Executor): Promise<JoinTokenRow[]> {
  return db.run(sql`
    select t.id, t.node_name, t.actor, t.created_at, t.expires_at, t.used_at, h.name as used_by, t.revoked_at
      from drover.join_token t left join drover.holder h on h.id = t.used_by
     order by t.id desc`);
}

/** Makes a token useless; false when there is no such token, or it was used. */
export async function revokeJoinToken(db: Executor, actor: string, id: number): Promise<boolean> {
  const rows = await db.run(sql`
    with revoked as (
      update drover.join_token t set revoked_at = now()
       where t.id = ${id} and t.used_at is null and t.revoked_at is null
      returning t.id, t.namespace_id
    ), told as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), r.namespace_id, 'node.token_revoked', ${actor}, json_build_object('id', r.id) from revoked r
    )
    select t.id from drover.join_token t
     where t.id = ${id} and t.used_at is null`);
  return rows.length > 0;
}

export interface TakenToken {
  id: number;
  namespace_id: number;
  node_name: string | null;
  labels: Record<string, string>;
  taints: string[];
}

/**
 * Uses a token up, if it may be used for that name. Of two at once the second waits for the first one's transaction, and
 * then finds it used.
 */
export async function takeJoinToken(db: Executor, hash: Uint8Array, name: string): Promise<TakenToken | undefined> {
  const [row] = await db.run<TakenToken>(sql`
    update drover.join_token
       set used_at = now()
     where hash = decode(${hex(hash)}, 'hex') and used_at is null and revoked_at is null and expires_at > now()
       and (node_name is null or node_name = ${name})
    returning id, namespace_id, node_name, labels, taints`);
  return row;
}

/** What became of a token, for who may not use it. */
export async function findJoinToken(
  db: Executor,
  hash: Uint8Array,
): Promise<(JoinTokenRow & { has_expired: boolean }) | undefined> {
  const [row] = await db.run<JoinTokenRow & { has_expired: boolean }>(sql`
    select t.id, t.node_name, t.actor, t.created_at, t.expires_at, t.used_at, h.name as used_by, t.revoked_at,
           t.expires_at <= now() as has_expired
      from drover.join_token t left join drover.holder h on h.id = t.used_by
     where t.hash = decode(${hex(hash)}, 'hex')`);
  return row;
}

/** Notes which node came of a token, and tells of it. */
export async function tellJoined(
  db: Executor,
  token: TakenToken,
  node: { holderId: number; name: string },
): Promise<void> {
  await db.run(sql`
    with noted as (update drover.join_token set used_by = ${node.holderId} where id = ${token.id})
    insert into drover.event (id, namespace_id, kind, actor, data)
    values (drover.next_id(), ${token.namespace_id}, 'node.joined', ${`holder:${node.holderId}`},
      json_build_object('name', ${node.name}::text, 'token', ${token.id}::integer))`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
