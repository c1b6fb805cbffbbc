import { type Clock, pause, systemClock } from "./clock.ts";

export interface Backoff {
  /** The longest wait after the first failure. */
  baseMs: number;
  /** No wait is longer. */
  capMs: number;
  factor?: number;
  /** The share of the wait that chance may take away, 0 to 1. */
  jitter?: number;
}

export interface RetryOptions extends Partial<Backoff> {
  /** How often to try in all; by default until the signal aborts. */
  attempts?: number;
  signal?: AbortSignal;
  /** Whether the error may go away by itself; by default every error may. */
  isRetryable?: (error: unknown) => boolean;
  /** Told of each failure that is followed by another try. */
  onFailure?: (failure: { error: unknown; attempt: number; waitMs: number }) => void;
  clock?: Clock;
  random?: () => number;
}

/** How long to wait after so many failures in a row (1 or more); jitter only shortens, so the cap holds. */
export function backoffMs(
  failures: number,
  { baseMs, capMs, factor = 2, jitter = 0.5 }: Backoff,
  random: () => number = Math.random,
): number {
  const grown = Math.min(capMs, baseMs * factor ** (Math.max(1, failures) - 1));
  return grown * (1 - jitter * random());
}

/** Runs until it succeeds; gives up with the last error, or with the signal's reason as soon as that aborts. */
export async function retry<T>(
  run: (attempt: number) => Promise<T>,
  {
    attempts = Infinity,
    baseMs = 100,
    capMs = 5_000,
    signal,
    isRetryable = () => true,
    onFailure,
    clock = systemClock,
    random = Math.random,
    ...shape
  }: RetryOptions = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await run(attempt);
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error)) throw error;
      const waitMs = backoffMs(attempt, { ...shape, baseMs, capMs }, random);
      onFailure?.({ error, attempt, waitMs });
      await pause({ waitMs, clock, ...(signal && { signal }) });
    }
  }
}
