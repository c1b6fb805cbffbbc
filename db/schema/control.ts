import { boolean, integer, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { drover, key, xid8 } from "./column.ts";

/** What the whole installation agrees on, and what its loops remember; one row. */
export const control = drover.table("control", {
  is_only: boolean().primaryKey().default(true),
  lease_seconds: integer().notNull().default(30),
  lease_margin_seconds: integer().notNull().default(10),
  sync_rate_limit: integer().notNull().default(200),
  live_holders: integer().notNull().default(0),
  swept_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  resumed_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  counted_xid: xid8().notNull().default("0"),
  counted_id: key().notNull().default("0"),
});

/** Which installation of Drover this database is; one row. */
export const installation = drover.table("installation", {
  is_only: boolean().primaryKey().default(true),
  id: uuid().notNull().defaultRandom(),
});

/** What has been applied to this database (migrate.ts). */
export const migration = drover.table("migration", {
  name: text().primaryKey(),
  hash: text().notNull(),
  applied_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
