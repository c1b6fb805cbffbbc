import { integer, json, jsonb, text, timestamp } from "drizzle-orm/pg-core";
import type { Json } from "@drover/domain/json";
import type { CatchUpPolicy, OverlapPolicy } from "@drover/domain/schedule";
import { drover, key } from "./column.ts";

const moment = () => timestamp({ withTimezone: true });

/** Workflows that are started by the clock. */
export const schedule = drover.table("schedule", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  name: text().notNull(),
  workflow: text().notNull(),
  workflow_version: integer(),
  input: json().$type<Json>().notNull().default({}),
  labels: jsonb().$type<Record<string, string>>(),
  cron: text().notNull(),
  time_zone: text().notNull(),
  starts_at: moment(),
  ends_at: moment(),
  jitter_ms: integer().notNull().default(0),
  catch_up: text().$type<CatchUpPolicy>().notNull(),
  catch_up_limit: integer().notNull(),
  overlap: text().$type<OverlapPolicy>().notNull(),
  next_at: moment(),
  due_at: moment(),
  paused_at: moment(),
  last_at: moment(),
  last_run_id: key(),
  error: text(),
  error_at: moment(),
  actor: text().notNull(),
  created_at: moment().notNull().defaultNow(),
  updated_at: moment().notNull().defaultNow(),
});
