import { sql } from "drizzle-orm";
import type { ReplicaState } from "@drover/domain/environment/replica";
import type { Executor } from "../client.ts";
import type { NodeReply, NodeRequestSpec } from "../node/replica.ts";

/** What is asked of one node. */
export type NodeQuestion = NodeRequestSpec & { holderId: number };

export interface AskedNode {
  /** Null: the node is away, and nothing was asked. */
  id: string | null;
  node: string;
  /** Since its lease ended; null: it has one, or never had. */
  away_seconds: number | null;
}

/**
 * Writes down what nodes are asked, in the order of the questions, and tells the nodes. What is not extended dies after
 * `ttlSeconds`.
 */
export async function askNodes(
  tx: Executor,
  questions: readonly NodeQuestion[],
  ttlSeconds: number,
): Promise<AskedNode[]> {
  const rows = questions.map(({ holderId, kind, spec }, n) => ({ n, holderId, kind, spec }));
  const asked = await tx.run<AskedNode & { n: number }>(sql`
    with asked as materialized (
      select a.n, h.id as holder_id, h.name, a.kind, a.spec, l.expires_at,
             case when l.expires_at > now() and h.removed_at is null then drover.next_id() end as id
        from json_to_recordset(${JSON.stringify(rows)}::json) as a (n integer, "holderId" integer, kind text, spec json)
        join drover.holder h on h.id = a."holderId"
        left join drover.holder_lease l on l.holder_id = h.id
    ), written as (
      insert into drover.node_request (id, holder_id, kind, spec, expires_at)
      select a.id, a.holder_id, a.kind, a.spec, now() + ${ttlSeconds} * interval '1 second' from asked a where a.id is not null
    )
    select a.n, a.id::text as id, a.name as node,
           case when a.id is null then greatest(0, extract(epoch from now() - a.expires_at))::integer end as away_seconds
      from asked a`);
  const holderIds = asked.flatMap(({ n, id }) => (id === null ? [] : [questions[n]?.holderId ?? 0]));
  if (holderIds.length > 0) await touch(tx, holderIds);
  const byNumber = new Map(asked.map((row) => [row.n, row]));
  return questions.map(
    ({ holderId }, n) => byNumber.get(n) ?? { id: null, node: `number ${holderId}`, away_seconds: null },
  );
}

export interface ReadReply {
  id: string;
  /** false: it ran out of time, or somebody took it away. */
  is_open: boolean;
  /** Whether its node has a lease. */
  is_live: boolean;
  parts: { chunk: number; body: NodeReply; isLast: boolean }[];
}

/** The next parts of answers behind those that were read, which are forgotten but for the last of each request. */
export async function readReplies(
  db: Executor,
  requests: readonly { id: string; lastChunk: number }[],
  limit: number,
): Promise<ReadReply[]> {
  const ids = sql.param(requests.map(({ id }) => id));
  const chunks = sql.param(requests.map(({ lastChunk }) => lastChunk));
  return db.run(sql`
    with asked as (
      select a.id, a.chunk from unnest(${ids}::bigint[], ${chunks}::integer[]) as a (id, chunk)
    ), forgotten as (
      delete from drover.node_reply y using asked a where y.request_id = a.id and y.chunk < a.chunk
    )
    select a.id::text as id, coalesce(q.expires_at > now(), false) as is_open, coalesce(l.expires_at > now(), false) as is_live,
           coalesce(p.parts, '[]') as parts
      from asked a
      left join drover.node_request q on q.id = a.id
      left join drover.holder_lease l on l.holder_id = q.holder_id
      left join lateral (
        select json_agg(json_build_object('chunk', y.chunk, 'body', y.body, 'isLast', y.is_last) order by y.chunk) as parts
          from (select * from drover.node_reply y where y.request_id = a.id and y.chunk > a.chunk order by y.chunk limit ${limit}) y
      ) p on true
     order by a.id`);
}

/** Says that somebody waits still. */
export async function extendRequests(db: Executor, ids: readonly string[], ttlSeconds: number): Promise<void> {
  await db.run(sql`
    update drover.node_request q set expires_at = now() + ${ttlSeconds} * interval '1 second'
     where q.id = any (${sql.param(ids)}::bigint[]) and not q.is_done and q.expires_at > now()`);
}

/** Forgets what was asked, with its answers; nodes that are at it still are told. */
export async function dropRequests(tx: Executor, ids: readonly string[]): Promise<void> {
  const dropped = await tx.run<{ holder_id: number; is_done: boolean }>(sql`
    delete from drover.node_request q where q.id = any (${sql.param(ids)}::bigint[]) returning q.holder_id, q.is_done`);
  const holderIds = dropped.flatMap(({ holder_id, is_done }) => (is_done ? [] : [holder_id]));
  if (holderIds.length > 0) await touch(tx, holderIds);
}

function touch(tx: Executor, holderIds: number[]): Promise<unknown> {
  return tx.run(sql`select drover.touch_holders(${sql.param([...new Set(holderIds)])}::integer[])`);
}

export interface ServiceReplicaRow {
  service: string;
  /** Null: the service has no replica. */
  replica_id: string | null;
  number: number;
  wanted: "running" | "stopped";
  /** Null: it is not placed. */
  holder_id: number | null;
  node: string | null;
  /** Whether its service declares how to find out that it works. */
  has_health: boolean;
  state: ReplicaState | null;
  message: string;
  container_id: string | null;
}

/** The services of an environment with their replicas, by name and number; no rows: there is no such environment. */
export function listServiceReplicas(
  db: Executor,
  namespaceId: number,
  environment: string,
): Promise<ServiceReplicaRow[]> {
  return db.run(sql`
    select s.name as service, r.id::text as replica_id, coalesce(r.number, 0) as number, coalesce(r.wanted, 'stopped') as wanted,
           r.holder_id, h.name as node, coalesce(r.spec -> 'service' ->> 'health' is not null, false) as has_health,
           t.state, coalesce(t.message, '') as message, t.container_id
      from drover.environment e
      join drover.service s on s.environment_id = e.id
      left join drover.replica r on r.service_id = s.id and r.wanted <> 'gone'
      left join drover.holder h on h.id = r.holder_id
      left join drover.replica_status t on t.replica_id = r.id and t.holder_id = r.holder_id
     where e.namespace_id = ${namespaceId} and e.name = ${environment}
     order by s.name, r.number, r.id`);
}

export interface EngineNode {
  id: number;
  name: string;
  is_live: boolean;
  has_engine: boolean;
}

/** Nodes with what it takes to fetch images, by name. */
export function listEngineNodes(db: Executor): Promise<EngineNode[]> {
  return db.run(sql`
    select h.id, h.name, coalesce(l.expires_at > now(), false) as is_live, 'docker' = any (h.executors) as has_engine
      from drover.holder h left join drover.holder_lease l on l.holder_id = h.id
     where h.kind = 'node' and h.removed_at is null
     order by h.name`);
}
