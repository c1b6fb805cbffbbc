import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import type { StoredLogLine } from "../node/settle.ts";

/** A chunk of the log of one attempt; cursors are (attempt, chunk). */
export interface LogChunk {
  attempt: number;
  chunk: number;
  lines: StoredLogLine[];
}

/** Chunks of a task's log after a cursor, oldest first. */
export function listLogChunks(
  db: Executor,
  key: string,
  after: { attempt: number; chunk: number },
  limit: number,
): Promise<LogChunk[]> {
  return db.run(sql`
    select attempt, chunk, lines
      from drover.task_log
     where task_id = ${key} and (attempt, chunk) > (${after.attempt}, ${after.chunk})
     order by attempt, chunk
     limit ${limit}`);
}

/** The newest chunks of a task's log, newest first. */
export function listNewestLogChunks(db: Executor, key: string, limit: number): Promise<LogChunk[]> {
  return db.run(sql`
    select attempt, chunk, lines from drover.task_log where task_id = ${key} order by attempt desc, chunk desc limit ${limit}`);
}
