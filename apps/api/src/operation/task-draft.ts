import type { Execution, ExecutorName } from "@drover/domain/execution";
import type { Json } from "@drover/domain/json";
import type { RetryPolicy } from "@drover/domain/retry";

/** A task as clients describe it, whatever interface they came through. */
export interface TaskDraft {
  id?: string | undefined;
  idempotencyKey?: string | undefined;
  class: string;
  /** For executor worker; empty otherwise. */
  type: string;
  payload: Json;
  /** Stored with the payload where that has no such fields. It is of our making: a repeat may meet another one. */
  added?: Record<string, Json> | undefined;
  /** Absent: executor worker. */
  execution?: (Execution & { executor?: ExecutorName }) | undefined;
  priority: number;
  delayMs?: number | undefined;
  timeoutSeconds?: number | undefined;
  retry?: Partial<RetryPolicy> | undefined;
  labels?: Record<string, string> | undefined;
}

/** The payload as it is stored. */
export function storedPayload({ payload, added }: TaskDraft): Json {
  const isFields = typeof payload === "object" && payload !== null && !Array.isArray(payload);
  return added !== undefined && isFields ? { ...added, ...payload } : payload;
}
