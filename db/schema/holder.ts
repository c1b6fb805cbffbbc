import { integer, jsonb, text, timestamp } from "drizzle-orm/pg-core";
import { drover, key } from "./column.ts";

/** Who may hold leases: a node's agent, or a worker of the SDK. */
export const holder = drover.table("holder", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  kind: text().$type<"node" | "worker">().notNull(),
  name: text().notNull(),
  login: text(),
  epoch: key().notNull().default("0"),
  state: text().$type<"ready" | "draining" | "lost">().notNull().default("ready"),
  executors: text().array().notNull().default([]),
  task_types: text().array().notNull().default([]),
  classes: text().array(),
  slots: jsonb().$type<Record<string, number>>().notNull().default({}),
  facts: jsonb().$type<Record<string, string>>().notNull().default({}),
  version: text().notNull().default(""),
  joined_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  labels: jsonb().$type<Record<string, string>>().notNull().default({}),
  taints: text().array().notNull().default([]),
  cordoned_at: timestamp({ withTimezone: true }),
  cordon_reason: text(),
  drain_requested_at: timestamp({ withTimezone: true }),
  drain_deadline_at: timestamp({ withTimezone: true }),
  lost_at: timestamp({ withTimezone: true }),
  removed_at: timestamp({ withTimezone: true }),
  revision: key().notNull().default("0"),
  images: text().array().notNull().default([]),
  models: text().array().notNull().default([]),
});

/** The heartbeat of a holder. */
export const holderLease = drover.table("holder_lease", {
  holder_id: integer().primaryKey(),
  epoch: key().notNull(),
  expires_at: timestamp({ withTimezone: true }).notNull(),
});
