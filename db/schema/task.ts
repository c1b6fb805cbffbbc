import { boolean, integer, json, jsonb, primaryKey, smallint, text, timestamp } from "drizzle-orm/pg-core";
import { bytea, drover, key } from "./column.ts";

/** What was submitted; written once. */
export const task = drover.table("task", {
  id: key().primaryKey(),
  namespace_id: integer().notNull(),
  queue_id: integer().notNull(),
  priority: smallint().notNull().default(0),
  timeout_seconds: integer().notNull().default(1800),
  name: text(),
  payload: json(),
  execution: json(),
  retry: json(),
  labels: jsonb().$type<Record<string, string>>(),
  run_id: key(),
  step_number: integer(),
  step_item: integer(),
});

/** Names that clients chose, bound to the body they were first used with. */
export const taskKey = drover.table(
  "task_key",
  {
    namespace_id: integer().notNull(),
    kind: text().$type<"id" | "idempotency">().notNull(),
    key: text().notNull(),
    task_id: key().notNull(),
    request_hash: bytea().notNull(),
  },
  (table) => [primaryKey({ columns: [table.namespace_id, table.kind, table.key] })],
);

/** Pending tasks. */
export const taskReady = drover.table(
  "task_ready",
  {
    queue_id: integer().notNull(),
    sort_key: key().notNull(),
    task_id: key().notNull(),
    attempt: integer().notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.queue_id, table.sort_key, table.task_id] })],
);

/** Tasks that may not run before a time. */
export const taskWaiting = drover.table("task_waiting", {
  task_id: key().primaryKey(),
  queue_id: integer().notNull(),
  sort_key: key().notNull(),
  attempt: integer().notNull(),
  reason: text().$type<"delayed" | "retrying" | "rate_limited" | "blocked">().notNull(),
  until_at: timestamp({ withTimezone: true }).notNull(),
  blocker: text(),
  limit_id: integer(),
  budget_id: key(),
  needs: key(),
});

/** Running tasks, each under a fence. */
export const taskLease = drover.table("task_lease", {
  task_id: key().primaryKey(),
  fence: key().notNull(),
  holder_id: integer().notNull(),
  queue_id: integer().notNull(),
  limited_class_id: integer(),
  attempt: integer().notNull(),
  started_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  deadline_at: timestamp({ withTimezone: true }).notNull(),
  cancel_requested_at: timestamp({ withTimezone: true }),
  cancel_reason: text(),
  run_id: key(),
  call_id: key(),
  gpu_count: integer(),
});

/** Tasks that have ended. */
export const taskFinal = drover.table("task_final", {
  task_id: key().primaryKey(),
  state: text().$type<"completed" | "failed" | "cancelled">().notNull(),
  attempt: integer().notNull(),
  holder_id: integer(),
  started_at: timestamp({ withTimezone: true }),
  finished_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  result: json(),
  error: json(),
});

/** Attempts that did not end their task. */
export const taskAttempt = drover.table(
  "task_attempt",
  {
    task_id: key().notNull(),
    fence: key().notNull(),
    attempt: integer().notNull(),
    holder_id: integer().notNull(),
    started_at: timestamp({ withTimezone: true }).notNull(),
    finished_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
    outcome: text().$type<"failed" | "lost" | "released">().notNull(),
    error: json(),
    is_counted: boolean().notNull().default(true),
  },
  (table) => [primaryKey({ columns: [table.task_id, table.fence] })],
);

/** Chunks of the logs of attempts. */
export const taskLog = drover.table(
  "task_log",
  {
    task_id: key().notNull(),
    attempt: integer().notNull(),
    chunk: integer().notNull(),
    lines: json().$type<[stream: string, atMs: number, text: string][]>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.task_id, table.attempt, table.chunk] })],
);
