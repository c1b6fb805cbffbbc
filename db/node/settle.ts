import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** One life of a holder: what an older life reports is stale. */
export interface Life {
  holderId: number;
  /** Decimal bigint. */
  epoch: string;
}

export interface Completion {
  taskKey: string;
  fence: string;
  /** JSON text; undefined: null. */
  result?: string | undefined;
}

export interface Failure {
  taskKey: string;
  fence: string;
  /** A word to act on; see packages/domain/src/error-class.ts for what becomes of each. */
  class: string;
  message: string;
  /** JSON texts. */
  details?: string | undefined;
  result?: string | undefined;
  retryAfterMs?: number | undefined;
}

/** Completes attempts in one statement; returns the keys whose claim was no longer current. */
export async function complete(db: Executor, holder: Life, batch: readonly Completion[]): Promise<string[]> {
  const results = batch.some((item) => item.result !== undefined) ? batch.map((item) => item.result ?? null) : null;
  const rows = await db.run<{ stale: string }>(sql`
    select stale from node.complete(${holder.holderId}, ${holder.epoch}, ${sql.param(batch.map((item) => item.taskKey))}::bigint[],
      ${sql.param(batch.map((item) => item.fence))}::bigint[], ${sql.param(results)}::json[]) as stale`);
  return rows.map((row) => row.stale);
}

/** Ends attempts that did not complete; returns the keys whose claim was no longer current. */
export async function fail(db: Executor, holder: Life, batch: readonly Failure[]): Promise<string[]> {
  const rows = await db.run<{ stale: string }>(sql`
    select stale from node.fail(${holder.holderId}, ${holder.epoch}, ${sql.param(batch.map((item) => item.taskKey))}::bigint[],
      ${sql.param(batch.map((item) => item.fence))}::bigint[], ${sql.param(batch.map((item) => item.class))}::text[],
      ${sql.param(batch.map((item) => item.message))}::text[], ${sql.param(batch.map((item) => item.details ?? null))}::json[],
      ${sql.param(batch.map((item) => item.result ?? null))}::json[],
      ${sql.param(batch.map((item) => (item.retryAfterMs === undefined ? null : String(item.retryAfterMs))))}::bigint[]) as stale`);
  return rows.map((row) => row.stale);
}

/** A line of an attempt's log: stream, Unix milliseconds, text. */
export type StoredLogLine = [stream: string, atMs: number, text: string];

/** Appends a chunk of log; false when the claim is no longer held. */
export async function appendLog(
  db: Executor,
  holder: Life,
  claim: { taskKey: string; fence: string },
  chunk: number,
  lines: readonly StoredLogLine[],
): Promise<boolean> {
  const [row] = await db.run<{ stored: boolean }>(sql`
    select node.log(${holder.holderId}, ${holder.epoch}, ${claim.taskKey}, ${claim.fence}, ${chunk}, ${JSON.stringify(lines)}::json) as stored`);
  return row?.stored ?? false;
}
