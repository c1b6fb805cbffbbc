import { integer, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key } from "./column.ts";

/** Allowances of requests, tokens or calls at once, with what is counted against them. */
export const rateLimit = drover.table("rate_limit", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull(),
  provider: text(),
  model: text(),
  namespace_id: integer(),
  workflow: text(),
  metric: text().$type<"requests" | "tokens" | "concurrent">().notNull(),
  window_seconds: integer(),
  allowance: key().notNull(),
  held: key().notNull().default("0"),
  newest_slot: key().notNull().default("0"),
  slots: key().array().notNull().default([]),
  actor: text().notNull().default(""),
  updated_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
});

/** Models that their provider takes no calls for. */
export const providerPause = drover.table(
  "provider_pause",
  { provider: text().notNull(), model: text().notNull(), until_at: timestamp({ withTimezone: true }).notNull() },
  (table) => [primaryKey({ columns: [table.provider, table.model] })],
);
