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
  /** Absent: executor worker. */
  execution?: (Execution & { executor?: ExecutorName }) | undefined;
  priority: number;
  delayMs?: number | undefined;
  timeoutSeconds?: number | undefined;
  retry?: Partial<RetryPolicy> | undefined;
  labels?: Record<string, string> | undefined;
}
