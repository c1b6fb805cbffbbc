import { sql } from "drizzle-orm";
import type { Json } from "@drover/domain/json";
import type { CatchUpPolicy, NextTime, OverlapPolicy, ScheduleTiming } from "@drover/domain/schedule";
import type { Executor } from "../client.ts";
import type { schedule } from "../schema/schedule.ts";

export type ScheduleRow = Omit<typeof schedule.$inferSelect, "actor">;

export interface NewSchedule {
  name: string;
  workflow: string;
  workflowVersion?: number | undefined;
  input: Json;
  labels?: Record<string, string> | undefined;
  timing: ScheduleTiming;
  catchUp: CatchUpPolicy;
  catchUpLimit: number;
  overlap: OverlapPolicy;
}

/** A due schedule, locked, with what firing it takes besides. */
export interface DueSchedule extends ScheduleRow {
  namespace: string;
  now: Date;
}

/** What became of the times of a schedule that were dealt with. */
export interface Settlement {
  next: NextTime | undefined;
  last?: { at: Date; runId: string } | undefined;
  /** Null: what failed before works again. */
  error?: string | null | undefined;
  /** Set where no next time can be told any more. */
  isPaused?: boolean;
}

const columns = sql`s.id, s.namespace_id, s.name, s.workflow, s.workflow_version, s.input, s.labels, s.cron, s.time_zone,
  s.starts_at, s.ends_at, s.jitter_ms, s.catch_up, s.catch_up_limit, s.overlap, s.next_at, s.due_at, s.paused_at,
  s.last_at, s.last_run_id, s.error, s.error_at, s.created_at, s.updated_at`;

/** The schedules of a namespace by name, after a name. */
export function listSchedules(
  db: Executor,
  namespaceId: number,
  { afterName = "", limit }: { afterName?: string; limit: number },
): Promise<ScheduleRow[]> {
  return db.run(sql`
    select ${columns}
      from drover.schedule s
     where s.namespace_id = ${namespaceId} and s.name > ${afterName}
     order by s.name
     limit ${limit}`);
}

/** One schedule by name. */
export async function findSchedule(db: Executor, namespaceId: number, name: string): Promise<ScheduleRow | undefined> {
  const [row] = await db.run<ScheduleRow>(sql`
    select ${columns}
      from drover.schedule s
     where s.namespace_id = ${namespaceId} and s.name = ${name}`);
  return row;
}

/** The same, kept from changing until the transaction ends; and what time it is. */
export async function lockSchedule(
  tx: Executor,
  namespaceId: number,
  name: string,
): Promise<{ now: Date; before: ScheduleRow | undefined }> {
  const [clock] = await tx.run<{ now: Date }>(sql`select now() as now`);
  const [before] = await tx.run<ScheduleRow>(sql`
    select ${columns}
      from drover.schedule s
     where s.namespace_id = ${namespaceId} and s.name = ${name}
       for update`);
  return { now: clock?.now ?? new Date(0), before };
}

/** Writes a schedule, new or changed; whether it is new. A pause stays. */
export async function upsertSchedule(
  tx: Executor,
  context: { namespaceId: number; actor: string },
  { name, workflow, workflowVersion, input, labels, timing, catchUp, catchUpLimit, overlap }: NewSchedule,
  next: NextTime | undefined,
): Promise<boolean> {
  const [row] = await tx.run<{ created: boolean }>(sql`
    with written as (
      insert into drover.schedule as s (
        namespace_id, name, workflow, workflow_version, input, labels, cron, time_zone, starts_at, ends_at, jitter_ms,
        catch_up, catch_up_limit, overlap, next_at, due_at, actor)
      values (
        ${context.namespaceId}, ${name}, ${workflow}, ${workflowVersion ?? null}::integer, ${JSON.stringify(input)}::json,
        ${labels === undefined ? null : JSON.stringify(labels)}::jsonb, ${timing.cron}, ${timing.timeZone},
        ${time(timing.startsAt)}::timestamptz, ${time(timing.endsAt)}::timestamptz, ${timing.jitterMs}::integer,
        ${catchUp}, ${catchUpLimit}::integer, ${overlap}, ${time(next?.at)}::timestamptz, ${time(next?.dueAt)}::timestamptz,
        ${context.actor})
      on conflict on constraint schedule_name_is_unique do update
         set workflow = excluded.workflow, workflow_version = excluded.workflow_version, input = excluded.input,
             labels = excluded.labels, cron = excluded.cron, time_zone = excluded.time_zone,
             starts_at = excluded.starts_at, ends_at = excluded.ends_at, jitter_ms = excluded.jitter_ms,
             catch_up = excluded.catch_up, catch_up_limit = excluded.catch_up_limit, overlap = excluded.overlap,
             next_at = excluded.next_at, due_at = excluded.due_at, error = null, error_at = null,
             actor = excluded.actor, updated_at = now()
      returning (xmax = 0) as created
    ), fact as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), ${context.namespaceId}, 'schedule.put', ${context.actor}, json_build_object('schedule', ${name}::text)
    )
    select created from written`);
  return row?.created ?? false;
}

/** Pauses or resumes; false when there is no such schedule. Doing it twice changes nothing. */
export async function pauseSchedule(
  db: Executor,
  { namespaceId, actor }: { namespaceId: number; actor: string },
  name: string,
  isPaused: boolean,
): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(sql`
    with changed as (
      update drover.schedule s
         set paused_at = case when ${isPaused}::boolean then now() end, updated_at = now()
       where s.namespace_id = ${namespaceId} and s.name = ${name} and (s.paused_at is null) = ${isPaused}::boolean
      returning s.id
    ), fact as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), ${namespaceId}, ${isPaused ? "schedule.paused" : "schedule.resumed"}, ${actor},
             json_build_object('schedule', ${name}::text)
        from changed
    )
    select exists (select from drover.schedule s where s.namespace_id = ${namespaceId} and s.name = ${name}) as found`);
  return row?.found ?? false;
}

/** Deletes a schedule; false when there is none. What it started goes on. */
export async function deleteSchedule(
  db: Executor,
  { namespaceId, actor }: { namespaceId: number; actor: string },
  name: string,
): Promise<boolean> {
  const rows = await db.run(sql`
    with gone as (
      delete from drover.schedule s where s.namespace_id = ${namespaceId} and s.name = ${name} returning s.name
    ), fact as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), ${namespaceId}, 'schedule.deleted', ${actor}, json_build_object('schedule', g.name) from gone g
    )
    select name from gone`);
  return rows.length > 0;
}

/** Milliseconds until the next schedule is due, negative when one is overdue; undefined when none ever will be. */
export async function untilDueMs(db: Executor, now?: Date): Promise<number | undefined> {
  const [row] = await db.run<{ ms: number | null }>(sql`
    select (extract(epoch from s.due_at - coalesce(${time(now)}::timestamptz, clock_timestamp())) * 1000)::float8 as ms
      from drover.schedule s
     where s.paused_at is null and s.due_at is not null
     order by s.due_at
     limit 1`);
  return row?.ms ?? undefined;
}

/** Locks the schedule that is due the longest and that nobody else is at; undefined when there is none. */
export async function lockDueSchedule(
  tx: Executor,
  { now, exceptIds }: { now?: Date | undefined; exceptIds: readonly number[] },
): Promise<DueSchedule | undefined> {
  const [row] = await tx.run<DueSchedule>(sql`
    select ${columns}, n.name as namespace, coalesce(${time(now)}::timestamptz, now()) as now
      from drover.schedule s
      join drover.namespace n on n.id = s.namespace_id
     where s.paused_at is null and s.due_at <= coalesce(${time(now)}::timestamptz, now())
       and s.id <> all (${sql.param(exceptIds)}::integer[])
     order by s.due_at
     limit 1
       for update of s skip locked`);
  return row;
}

/** Whether a run has not ended. */
export async function isRunOpen(tx: Executor, runId: string): Promise<boolean> {
  const rows = await tx.run(sql`select from drover.run_open o where o.run_id = ${runId}::bigint`);
  return rows.length > 0;
}

/** Writes what became of the times that were dealt with, on a schedule that this transaction has locked. */
export async function settleSchedule(tx: Executor, id: number, settlement: Settlement): Promise<void> {
  const { next, last, error, isPaused = false } = settlement;
  await tx.run(sql`
    update drover.schedule s
       set next_at = ${time(next?.at)}::timestamptz, due_at = ${time(next?.dueAt)}::timestamptz,
           last_at = coalesce(${time(last?.at)}::timestamptz, s.last_at),
           last_run_id = coalesce(${last?.runId ?? null}::bigint, s.last_run_id),
           error = case when ${error === undefined}::boolean then s.error else ${error ?? null}::text end,
           error_at = case when ${error === undefined}::boolean then s.error_at
                           when ${error ?? null}::text is not null then now() end,
           paused_at = case when ${isPaused}::boolean then now() else s.paused_at end
     where s.id = ${id}`);
}

/** Appends facts about a schedule. */
export async function insertScheduleEvents(
  tx: Executor,
  { namespaceId, actor }: { namespaceId: number; actor: string },
  events: readonly { kind: string; runId?: string | undefined; data: Json }[],
): Promise<void> {
  await tx.run(sql`
    insert into drover.event (id, namespace_id, kind, actor, run_ids, data)
    select drover.next_id(), ${namespaceId}, e.kind, ${actor}, case when e.run_id is null then '{}' else array[e.run_id] end, e.data
      from unnest(${sql.param(events.map(({ kind }) => kind))}::text[],
                  ${sql.param(events.map(({ runId }) => runId ?? null))}::bigint[],
                  ${sql.param(events.map(({ data }) => JSON.stringify(data)))}::text[]::json[]) as e (kind, run_id, data)`);
}

/** Does work that may fail without taking the whole transaction with it. */
export async function withSavepoint<T>(tx: Executor, work: () => Promise<T>): Promise<T> {
  await tx.run(sql`savepoint attempt`);
  try {
    const result = await work();
    await tx.run(sql`release savepoint attempt`);
    return result;
  } catch (error) {
    await tx.run(sql`rollback to savepoint attempt`);
    throw error;
  }
}

function time(at: Date | undefined): string | null {
  return at?.toISOString() ?? null;
}
