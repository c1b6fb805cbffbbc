import { bigint, integer, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key } from "./column.ts";

/** Allowances of money, with what is held and spent. */
export const budget = drover.table("budget", {
  id: bigint({ mode: "bigint" }).primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  name: text(),
  scope: text().$type<"step" | "run" | "workflow" | "namespace">().notNull(),
  workflow: text(),
  root_run_id: key(),
  run_id: key(),
  step_number: integer(),
  step: text(),
  provider: text(),
  model: text(),
  period: text().$type<"none" | "day" | "month">().notNull().default("none"),
  limit_nanos: key().notNull(),
  alert_percents: integer().array().notNull().default([]),
  when_exceeded: text().$type<"fail" | "wait">().notNull().default("fail"),
  held_nanos: key().notNull().default("0"),
  spent_nanos: key().notNull().default("0"),
  period_started_at: timestamp({ withTimezone: true }),
  alerted_percent: integer().notNull().default(0),
  actor: text().notNull().default(""),
  updated_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
