import { integer, primaryKey, smallint, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key } from "./column.ts";

const moment = () => timestamp({ withTimezone: true });

/** GPUs of nodes, or slices of them. */
export const gpu = drover.table("gpu", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  holder_id: integer().notNull(),
  uuid: text().notNull(),
  kind: text().$type<"whole" | "mig" | "shared">().notNull(),
  vendor: text().$type<"nvidia" | "amd">().notNull(),
  number: integer().notNull(),
  model: text().notNull(),
  memory_mib: integer().notNull(),
  driver: text().notNull().default(""),
  profile: text(),
  parent_uuid: text(),
  slot_count: integer().notNull().default(1),
  state: text().$type<"ready" | "cordoned" | "gone">().notNull().default("ready"),
  evidence: text(),
  cordoned_at: moment(),
  utilization_percent: smallint(),
  seen_at: moment().notNull().defaultNow(),
});

/** Slots that are given away. */
export const gpuAllocation = drover.table(
  "gpu_allocation",
  {
    gpu_id: integer().notNull(),
    slot: integer().notNull(),
    task_id: key(),
    replica_id: key(),
    memory_mib: integer(),
    allocated_at: moment().notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.gpu_id, table.slot] })],
);

/** Which node a task is to run on. */
export const taskPlacement = drover.table("task_placement", {
  task_id: key().primaryKey(),
  queue_id: integer().notNull(),
  sort_key: key().notNull(),
  holder_id: integer().notNull(),
  placed_at: moment().notNull().defaultNow(),
  fence: key(),
});
