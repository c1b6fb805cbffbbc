import { integer, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key } from "./column.ts";

/** What models cost, from a time on. */
export const price = drover.table("price", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  provider: text().notNull(),
  model: text().notNull(),
  input_nanos_per_million: key().notNull(),
  output_nanos_per_million: key().notNull(),
  effective_from: timestamp({ withTimezone: true }).notNull().defaultNow(),
  actor: text().notNull(),
});
