import { createHash } from "node:crypto";
import { canonicalJson } from "@drover/domain/json";
import type { TaskDraft } from "./task-draft.ts";

/** What a draft says, whatever its id, its key, what we added and the order of its fields: the same request has the same hash. */
export function hashDraft({ id: _id, idempotencyKey: _key, added: _added, ...body }: TaskDraft): Uint8Array {
  return hashValue(body);
}

/** A short hash of a value, whatever the order of its fields. */
export function hashValue(value: unknown): Uint8Array {
  return createHash("sha256").update(canonicalJson(value)).digest().subarray(0, 16);
}
