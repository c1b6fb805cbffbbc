import { integer, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key } from "./column.ts";

/** Which queues a task waits in; has limits and can be paused. */
export const taskClass = drover.table("class", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  name: text().notNull(),
  concurrency_limit: integer(),
  depth_limit: key(),
  default_image: text(),
  paused_at: timestamp({ withTimezone: true }),
  created_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
