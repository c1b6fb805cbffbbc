import type { LimitMetric } from "@drover/domain/rate-limit";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A limit as it is set; what is absent selects everything. */
export interface NewLimit {
  name: string;
  provider?: string | undefined;
  /** A name, or a beginning followed by `*`. */
  model?: string | undefined;
  namespaceId?: number | undefined;
  workflow?: string | undefined;
  metric: LimitMetric;
  /** Absent for calls at once. */
  windowSeconds?: number | undefined;
  allowance: bigint;
}

export interface LimitRow {
  name: string;
  provider: string | null;
  model: string | null;
  namespace: string | null;
  workflow: string | null;
  metric: LimitMetric;
  window_seconds: number | null;
  allowance: string;
  /** By calls under way. */
  held: string;
  /** By calls that ended within the window. */
  used: string;
  waiting: string;
  updated_at: Date;
}

/** Makes a limit or changes the one of this name. */
export async function setLimit(db: Executor, limit: NewLimit, actor: string): Promise<void> {
  await db.run(sql`
    select drover.set_limit(${limit.name}, ${limit.provider ?? null}, ${limit.model ?? null}, ${limit.namespaceId ?? null}::integer,
      ${limit.workflow ?? null}, ${limit.metric}, ${limit.windowSeconds ?? null}::integer, ${limit.allowance.toString()}::bigint, ${actor})`);
}

/** Removes a limit; false when there is none of this name. */
export async function deleteLimit(db: Executor, name: string, actor: string): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(sql`select drover.delete_limit(${name}, ${actor}) as found`);
  return row?.found ?? false;
}

/** The limits with what is counted against them now, by name; all, or one. */
export function listLimits(db: Executor, name?: string): Promise<LimitRow[]> {
  return db.run(sql`
    select l.name, l.provider, l.model, n.name as namespace, l.workflow, l.metric, l.window_seconds, l.allowance, l.held,
           case when l.window_seconds is null then 0
             else drover.slots_used(l.slots, l.newest_slot, l.window_seconds, clock_timestamp()) end as used,
           (select count(*) from drover.task_waiting w where w.limit_id = l.id) as waiting, l.updated_at
      from drover.rate_limit l left join drover.namespace n on n.id = l.namespace_id
     where ${name ?? null}::text is null or l.name = ${name ?? null}::text
     order by l.name`);
}

export interface PauseRow {
  provider: string;
  model: string;
  until_at: Date;
}

/** Models that their provider takes no calls for at the moment. */
export function listPauses(db: Executor): Promise<PauseRow[]> {
  return db.run(sql`
    select provider, model, until_at from drover.provider_pause where until_at > now() order by provider, model`);
}
