import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface ControlSettings {
  leaseSeconds: number;
  leaseMarginSeconds: number;
  syncRateLimit: number;
}

/** Sets what the whole installation agrees on. */
export async function setControl(db: Executor, settings: ControlSettings): Promise<void> {
  await db.run(sql`
    update drover.control
       set lease_seconds = ${settings.leaseSeconds}, lease_margin_seconds = ${settings.leaseMarginSeconds},
           sync_rate_limit = ${settings.syncRateLimit}
     where (lease_seconds, lease_margin_seconds, sync_rate_limit)
           is distinct from (${settings.leaseSeconds}::integer, ${settings.leaseMarginSeconds}::integer, ${settings.syncRateLimit}::integer)`);
}

export interface SweepReport {
  live: number;
  lost: number;
  taken: number;
  promoted: number;
}

/** One round of upkeep; undefined when another replica is at it. When the server started is an argument for tests. */
export async function sweep(db: Executor, serverStartedAt?: Date): Promise<SweepReport | undefined> {
  const [row] = await db.run<{ report: SweepReport | null }>(
    serverStartedAt === undefined
      ? sql`select drover.sweep() as report`
      : sql`select drover.sweep(${serverStartedAt.toISOString()}::timestamptz) as report`,
  );
  return row?.report ?? undefined;
}

/** Moves due tasks from waiting to ready; how many. */
export async function promote(db: Executor, limit: number): Promise<number> {
  const [row] = await db.run<{ moved: number }>(sql`select drover.promote(${limit}) as moved`);
  return row?.moved ?? 0;
}

/** Makes the partitions of the coming weeks and drops those that ended before the retention; names of both. */
export async function turnPartitions(
  db: Executor,
  retentionDays: number,
): Promise<{ made: string[]; dropped: string[] }> {
  const made = await db.run<{ name: string }>(sql`select name from drover.ensure_partitions() as name`);
  const dropped = await db.run<{ name: string }>(sql`
    select name from drover.drop_partitions(now() - ${retentionDays} * interval '1 day') as name`);
  return { made: made.map((row) => row.name), dropped: dropped.map((row) => row.name) };
}

/** Sums up the events since the last time into their totals. */
export async function sumEvents(db: Executor): Promise<void> {
  await db.run(sql`select drover.sum_events()`);
}

/** Answers when the database does. */
export async function ping(db: Executor): Promise<void> {
  await db.run(sql`select 1`);
}

export interface QueueDepths {
  pending: number;
  waiting: number;
  running: number;
}

/** How much waits and runs, over all namespaces. Reads the hot tables: for a scrape, not for a request. */
export async function queueDepths(db: Executor): Promise<QueueDepths> {
  const [row] = await db.run<{ pending: string; waiting: string; running: string }>(sql`
    select (select count(*) from drover.task_ready) as pending,
           (select count(*) from drover.task_waiting) as waiting,
           (select count(*) from drover.task_lease) as running`);
  return {
    pending: Number(row?.pending ?? 0),
    waiting: Number(row?.waiting ?? 0),
    running: Number(row?.running ?? 0),
  };
}
