import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import { eventTotal } from "../schema/event.ts";
import { select } from "./select.ts";

/** A fact about the tasks or runs it names (one row may speak of many). */
export interface EventRow {
  xid: string;
  id: string;
  at: Date;
  kind: string;
  actor: string;
  task_ids: string[];
  run_ids: string[];
  data: Record<string, unknown> | null;
}

/** A place in the log: every event up to it has been seen, none is skipped. */
export interface EventCursor {
  xid: string;
  id: string;
}

/**
 * Events after a cursor, in order. Only transactions older than the oldest one still running are shown: a later commit
 * can therefore never slip in before a cursor that was handed out.
 */
export function listEvents(
  db: Executor,
  namespaceId: number,
  after: EventCursor,
  kinds: readonly string[],
  limit: number,
): Promise<EventRow[]> {
  return db.run(sql`
    select e.xid::text as xid, e.id, e.at, e.kind, e.actor, e.task_ids, e.run_ids, e.data
      from drover.event e
     where (e.xid, e.id) > (${after.xid}::text::xid8, ${after.id}::bigint)
       and e.xid < pg_snapshot_xmin(pg_current_snapshot())
       and e.namespace_id = ${namespaceId}
       and (${kinds.length === 0}::boolean or e.kind = any (${sql.param(kinds)}::text[]))
     order by e.xid, e.id
     limit ${limit}`);
}

/** The cursor of now: what is committed later comes after it. */
export async function newestCursor(db: Executor): Promise<EventCursor> {
  const [row] = await db.run<{ xid: string }>(
    sql`select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text as xid`,
  );
  return { xid: row?.xid ?? "0", id: "9223372036854775807" };
}

/** The cursor just before the first event at or after a time; like `listEvents` it looks past no open transaction. */
export async function cursorAt(db: Executor, at: Date): Promise<EventCursor> {
  const [row] = await db.run<{ xid: string; id: string }>(sql`
    with horizon as (select pg_snapshot_xmin(pg_current_snapshot()) as xid), found as (
      select e.xid::text as xid, e.id - 1 as id
        from drover.event e
       where e.id >= drover.id_base(${at.toISOString()}::timestamptz) and e.xid < (select h.xid from horizon h)
       order by e.xid, e.id
       limit 1)
    select xid, id from found
    union all
    select (h.xid::text::bigint - 1)::text, 9223372036854775807 from horizon h where not exists (select from found)`);
  return row ?? { xid: "0", id: "0" };
}

/** How many facts of each kind there were, up to the last sweep. */
export async function eventTotals(db: Executor): Promise<Map<string, number>> {
  const rows = await db.run<typeof eventTotal.$inferSelect>(select.select().from(eventTotal));
  return new Map(rows.map((row) => [row.kind, Number(row.total)]));
}
