import { integer, json, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key, xid8 } from "./column.ts";

/** Facts, one row per statement that caused them. */
export const event = drover.table("event", {
  id: key().primaryKey(),
  xid: xid8().notNull(),
  at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  namespace_id: integer().notNull(),
  kind: text().notNull(),
  actor: text().notNull(),
  task_ids: key().array().notNull().default([]),
  data: json().$type<Record<string, unknown>>(),
  run_ids: key().array().notNull().default([]),
});

/** How many facts of a kind there were. */
export const eventTotal = drover.table("event_total", {
  kind: text().primaryKey(),
  total: key().notNull(),
});
