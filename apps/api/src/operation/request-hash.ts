import { createHash } from "node:crypto";
import type { TaskDraft } from "./task-draft.ts";

/** What a draft says, whatever its id, its key, what we added and the order of its fields: the same request has the same hash. */
export function hashDraft({ id: _id, idempotencyKey: _key, added: _added, ...body }: TaskDraft): Uint8Array {
  return hashValue(body);
}

/** A short hash of a value, whatever the order of its fields. */
export function hashValue(value: unknown): Uint8Array {
  return createHash("sha256").update(canonical(value)).digest().subarray(0, 16);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`).join()}}`;
}
