import { retry } from "@drover/daemon/backoff";
import { DroverError } from "@drover/domain/error";

/**
 * Reads for a stream that is under way. A database that is away for a moment is no reason to end it; one that stays
 * away is, so that the client can turn to another server.
 */
export function patiently<Answer>(signal: AbortSignal, read: () => Promise<Answer>): Promise<Answer> {
  return retry(read, {
    signal,
    attempts: 30,
    capMs: 1000,
    isRetryable: (error) => error instanceof DroverError && error.reason === "unavailable",
  });
}
