import { integer, jsonb, text, timestamp } from "drizzle-orm/pg-core";
import { bytea, drover } from "./column.ts";

const moment = () => timestamp({ withTimezone: true });

/** One-time permissions for hosts to become nodes. */
export const joinToken = drover.table("join_token", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  namespace_id: integer().notNull(),
  hash: bytea().notNull(),
  node_name: text(),
  labels: jsonb().$type<Record<string, string>>().notNull().default({}),
  taints: text().array().notNull().default([]),
  actor: text().notNull(),
  created_at: moment().notNull().defaultNow(),
  expires_at: moment().notNull(),
  used_at: moment(),
  used_by: integer(),
  revoked_at: moment(),
});
