import { isFinal } from "@drover/domain/task";
import type { TaskDetailRow, TaskRow } from "@drover/db/query/task";
import { type TaskResultInit, taskResult } from "./view.ts";

/** The tasks of a stream that are not final yet, and what was last said of each. */
export interface OpenTasks {
  readonly size: number;
  has(key: string): boolean;
  keys(): Iterable<string>;
  /** Whether the client has not been told this yet. */
  isNews(row: TaskRow): boolean;
  /** The message for a task as it is now; repeated from now on until the task is final. */
  tell(row: TaskDetailRow): TaskResultInit;
  /** The messages that were last sent a while ago, as sent once more. */
  due(): TaskResultInit[];
  /** Milliseconds until the next one is due. */
  dueInMs(): number;
}

export interface OpenTasksOptions {
  repeatMs: number;
  /** How many are repeated; the oldest ones give way. */
  maxTasks?: number;
  now?: () => number;
}

/** Clients take a second of silence for the end, so whatever is not final is told again and again. */
export function createOpenTasks({
  repeatMs,
  maxTasks = Infinity,
  now = () => performance.now(),
}: OpenTasksOptions): OpenTasks {
  // In the order in which they were last told.
  const told = new Map<string, { message: TaskResultInit; face: string; at: number }>();

  return {
    get size() {
      return told.size;
    },
    has: (key) => told.has(key),
    keys: () => told.keys(),
    isNews: (row) => told.get(row.key)?.face !== faceOf(row),
    tell(row) {
      const message = taskResult(row);
      told.delete(row.key);
      if (!isFinal(row.state)) told.set(row.key, { message, face: faceOf(row), at: now() });
      const [oldest] = told.keys();
      if (told.size > maxTasks && oldest !== undefined) told.delete(oldest);
      return message;
    },
    due() {
      const messages: TaskResultInit[] = [];
      const until = now() - repeatMs;
      for (const [key, entry] of told) {
        if (entry.at > until) break;
        messages.push(entry.message);
        told.delete(key);
        told.set(key, { ...entry, at: now() });
        if (messages.length >= told.size) break;
      }
      return messages;
    },
    dueInMs() {
      for (const { at } of told.values()) return Math.max(0, at + repeatMs - now());
      return repeatMs;
    },
  };
}

/** What these clients can tell apart. */
function faceOf(row: TaskRow): string {
  return `${row.state} ${row.attempt}`;
}
