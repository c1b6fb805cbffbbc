import { boolean, integer, json, primaryKey, smallint, text, timestamp } from "drizzle-orm/pg-core";
import type { Declaration } from "@drover/domain/environment/declaration";
import type { ReplicaSpec, ReplicaState } from "@drover/domain/environment/replica";
import type { Json } from "@drover/domain/json";
import { drover, key } from "./column.ts";

const moment = () => timestamp({ withTimezone: true });

/** Named declarations of long-running services. */
export const environment = drover.table("environment", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  name: text().notNull(),
  generation: integer().notNull().default(0),
  paused_reason: text(),
  created_at: moment().notNull().defaultNow(),
  updated_at: moment().notNull().defaultNow(),
  is_rolling: boolean().notNull().default(true),
  deletion_requested_at: moment(),
});

/** What was applied; never changes. */
export const environmentGeneration = drover.table(
  "environment_generation",
  {
    environment_id: integer().notNull(),
    generation: integer().notNull(),
    source: text().notNull(),
    declaration: json().$type<Declaration>().notNull(),
    copy_of: integer(),
    actor: text().notNull(),
    created_at: moment().notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.environment_id, table.generation] })],
);

/** What operators say of services. */
export const service = drover.table("service", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  environment_id: integer().notNull(),
  name: text().notNull(),
  is_stopped: boolean().notNull().default(false),
  round: integer().notNull().default(0),
  overrides: json().$type<Record<string, Json>>().notNull().default({}),
  settled_generation: integer().notNull().default(0),
});

/** Wanted instances of services. */
export const replica = drover.table("replica", {
  id: key().primaryKey(),
  namespace_id: integer().notNull(),
  environment_id: integer().notNull(),
  service_id: integer().notNull(),
  number: integer().notNull(),
  generation: integer().notNull(),
  spec: json().$type<ReplicaSpec>().notNull(),
  spec_hash: text().notNull(),
  wanted: text().$type<"running" | "stopped" | "gone">().notNull().default("running"),
  round: integer().notNull().default(0),
  holder_id: integer(),
  placed_at: moment(),
  is_leaving: boolean().notNull().default(false),
  created_at: moment().notNull().defaultNow(),
  updated_at: moment().notNull().defaultNow(),
});

/** What nodes last said of replicas. */
export const replicaStatus = drover.table("replica_status", {
  replica_id: key().primaryKey(),
  holder_id: integer().notNull(),
  state: text().$type<ReplicaState>().notNull(),
  is_healthy: boolean(),
  message: text().notNull().default(""),
  container_id: text(),
  image_digest: text(),
  spec_hash: text(),
  round: integer(),
  started_at: moment(),
  healthy_since: moment(),
  restarts: integer().notNull().default(0),
  exit_code: integer(),
  ports: json().$type<Json>().notNull().default([]),
  progress: smallint().notNull().default(0),
  drift: json().$type<Json>(),
  changed_at: moment().notNull().defaultNow(),
});
