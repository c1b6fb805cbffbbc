import { DroverError } from "@drover/domain/error";

/** One call of the API. */
export type Call = <T>(method: `${string}/${string}`, body: object) => Promise<T>;

export interface ApiOptions {
  address: string;
  signal: AbortSignal;
}

const callTimeoutMs = 15_000;

/**
 * Calls the API as any program in any language can: JSON over HTTP.
 * @example await createApi({ address: "http://127.0.0.1:9097", signal })("TaskService/GetTask", { id: "one" })
 */
export function createApi({ address, signal }: ApiOptions): Call {
  return async <T>(method: string, body: object): Promise<T> => {
    const response = await fetch(`${address}/drover.v1.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]),
    });
    const answer: unknown = await response.json();
    if (response.ok) return answer as T;
    const message = (answer as { message?: string }).message ?? `status ${response.status}`;
    throw new DroverError("unavailable", `The API refused ${method}: ${message}`);
  };
}

/** A task as the API tells it; what is empty is left out. */
export interface TaskAnswer {
  id: string;
  state: `TASK_STATE_${"WAITING" | "PENDING" | "RUNNING" | "COMPLETED" | "FAILED" | "CANCELLED"}`;
  holder?: string;
  attempt?: number;
  result?: { outputsSummary?: Record<string, unknown> };
  error?: { class: string; message: string };
  pending?: { message: string };
}
