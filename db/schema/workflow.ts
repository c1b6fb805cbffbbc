import { bigint, integer, json, jsonb, primaryKey, smallint, text, timestamp } from "drizzle-orm/pg-core";
import type { WorkflowFormat } from "@drover/domain/workflow/definition";
import { bytea, drover, key } from "./column.ts";

const moment = () => timestamp({ withTimezone: true });

/** Workflows by name. */
export const workflow = drover.table("workflow", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  name: text().notNull(),
  newest_version: integer().notNull().default(0),
  created_at: moment().notNull().defaultNow(),
  updated_at: moment().notNull().defaultNow(),
});

/** Versions of workflows; written once. */
export const workflowVersion = drover.table("workflow_version", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  workflow_id: integer().notNull(),
  number: integer().notNull(),
  format: text().$type<WorkflowFormat>().notNull(),
  source: text().notNull(),
  definition: json().notNull(),
  actor: text().notNull(),
  created_at: moment().notNull().defaultNow(),
});

/** Runs as they were asked for; written once. */
export const workflowRun = drover.table("workflow_run", {
  id: key().primaryKey(),
  namespace_id: integer().notNull(),
  workflow_id: integer().notNull(),
  version_id: integer().notNull(),
  body: text(),
  root_run_id: key().notNull(),
  parent_run_id: key(),
  parent_step: integer(),
  parent_item: integer(),
  depth: smallint().notNull().default(0),
  input: json().notNull().default({}),
  idempotency_key: text(),
  labels: jsonb().$type<Record<string, string>>(),
  actor: text().notNull(),
  deadline_at: moment(),
});

const counters = {
  steps_total: integer().notNull(),
  completed: integer().notNull(),
  failed: integer().notNull(),
  tolerated: integer().notNull(),
  skipped: integer().notNull(),
  cancelled: integer().notNull(),
};

/** Runs that are not final. */
export const runOpen = drover.table("run_open", {
  run_id: key().primaryKey(),
  started_at: moment(),
  wake_at: moment(),
  cancel_requested_at: moment(),
  cancel_reason: text(),
  stopping: text().$type<"cancelled" | "deadline" | "failed">(),
  steps_total: integer().notNull(),
  completed: integer().notNull().default(0),
  failed: integer().notNull().default(0),
  tolerated: integer().notNull().default(0),
  skipped: integer().notNull().default(0),
  cancelled: integer().notNull().default(0),
  running: integer().notNull().default(0),
  held: integer().notNull().default(0),
  fields: json(),
  mailbox: json(),
});

/** Runs that have ended. */
export const runFinal = drover.table("run_final", {
  run_id: key().primaryKey(),
  state: text().$type<"completed" | "partially_completed" | "failed" | "cancelled">().notNull(),
  started_at: moment(),
  finished_at: moment().notNull().defaultNow(),
  ...counters,
  fields: json(),
  output: json(),
  error: json(),
});

/** What runs are to look at. */
export const runSignal = drover.table("run_signal", {
  id: bigint({ mode: "bigint" }).primaryKey().generatedAlwaysAsIdentity(),
  run_id: key().notNull(),
  kind: text().$type<"start" | "task" | "run" | "event" | "decision" | "cancel">().notNull(),
  task_id: key(),
  child_run_id: key(),
  data: json(),
});

/** Keys that make a repeated start harmless. */
export const runKey = drover.table(
  "run_key",
  { workflow_id: integer().notNull(), key: text().notNull(), run_id: key().notNull(), request_hash: bytea().notNull() },
  (table) => [primaryKey({ columns: [table.workflow_id, table.key] })],
);

/** Steps that were reached. */
export const step = drover.table(
  "step",
  {
    run_id: key().notNull(),
    number: integer().notNull(),
    item: integer().notNull().default(-1),
    state: text()
      .$type<"pending" | "running" | "waiting" | "completed" | "failed" | "skipped" | "cancelled">()
      .notNull(),
    task_id: key(),
    child_run_id: key(),
    exits: smallint().array(),
    data: json(),
    output: json(),
    error: json(),
    started_at: moment().notNull().defaultNow(),
    finished_at: moment(),
  },
  (table) => [primaryKey({ columns: [table.run_id, table.number, table.item] })],
);

/** What agents of workflows remember from one run to the next. */
export const memory = drover.table(
  "memory",
  {
    namespace_id: integer().notNull(),
    scope: text().notNull(),
    key: text().notNull(),
    value: json().notNull(),
    updated_at: moment().notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.namespace_id, table.scope, table.key] })],
);

/** How many nested runs a run has begun, in all. */
export const runTree = drover.table("run_tree", {
  root_run_id: key().primaryKey(),
  nested_runs: key().notNull(),
});
