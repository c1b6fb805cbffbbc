import { boolean, integer, json, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import type { Json } from "@drover/domain/json";
import { drover, key } from "./column.ts";

/** What the API asks of nodes at once. */
export const nodeRequest = drover.table("node_request", {
  id: key().primaryKey(),
  holder_id: integer().notNull(),
  kind: text().$type<"logs" | "probe" | "pull" | "usage">().notNull(),
  spec: json().$type<Json>().notNull(),
  expires_at: timestamp({ withTimezone: true }).notNull(),
  is_done: boolean().notNull().default(false),
});

/** Their answers, in parts. */
export const nodeReply = drover.table(
  "node_reply",
  {
    request_id: key().notNull(),
    chunk: integer().notNull(),
    body: json().$type<Json>().notNull(),
    is_last: boolean().notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.request_id, table.chunk] })],
);
