import { integer, text, timestamp } from "drizzle-orm/pg-core";
import { drover } from "./column.ts";

/** The tenant that everything belongs to. */
export const namespace = drover.table("namespace", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull(),
  created_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
