import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import type { StoredLogLine } from "../node/settle.ts";
import { taskLog } from "../schema/task.ts";
import { select } from "./select.ts";

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
  const isAfter = sql`(${attempt}, ${chunk}) > (${after.attempt}, ${after.chunk})`;
  return db.run(
    chunks()
      .where(and(eq(taskLog.task_id, key), isAfter))
      .orderBy(asc(attempt), asc(chunk))
      .limit(limit),
  );
}

/** The newest chunks of a task's log, newest first. */
export function listNewestLogChunks(db: Executor, key: string, limit: number): Promise<LogChunk[]> {
  return db.run(chunks().where(eq(taskLog.task_id, key)).orderBy(desc(attempt), desc(chunk)).limit(limit));
}

const { attempt, chunk, lines } = taskLog;
const chunks = () => select.select({ attempt, chunk, lines }).from(taskLog);
