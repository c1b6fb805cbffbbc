import type { ExecutorName } from "@drover/domain/execution";
import { integer, text } from "drizzle-orm/pg-core";
import { drover } from "./column.ts";

/** One line of tasks that the same holders can run. */
export const queue = drover.table("queue", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  class_id: integer().notNull(),
  executor: text().$type<ExecutorName>().notNull(),
  task_type: text().notNull().default(""),
});
