import { integer, smallint, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key } from "./column.ts";

/** Reservations of calls, their ends, and GPU time; only added to. */
export const ledger = drover.table("ledger", {
  id: key().primaryKey(),
  at: timestamp({ withTimezone: true }).notNull(),
  kind: text().$type<"reserve" | "settle" | "release" | "gpu">().notNull(),
  namespace_id: integer().notNull(),
  call_id: key(),
  task_id: key().notNull(),
  run_id: key(),
  root_run_id: key(),
  workflow: text(),
  step: text(),
  provider: text(),
  model: text(),
  requests: smallint().notNull().default(0),
  input_tokens: key().notNull().default("0"),
  output_tokens: key().notNull().default("0"),
  cost_nanos: key().notNull().default("0"),
  gpu_ms: key().notNull().default("0"),
  held_tokens: key().notNull().default("0"),
  held_nanos: key().notNull().default("0"),
  limit_ids: integer().array().notNull().default([]),
  budget_ids: key().array().notNull().default([]),
});
