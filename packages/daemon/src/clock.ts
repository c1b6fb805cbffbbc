import { performance } from "node:perf_hooks";

/** Time as a process feels it: monotonic, and injected so that tests move it by hand (testing.ts). */
export interface Clock {
  /** Milliseconds since some start; never goes back. */
  now(): number;
  /** Calls `run` once after the wait; returns what cancels it. */
  after(waitMs: number, run: () => void): () => void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(waitMs, run) {
    const timer = setTimeout(run, Math.min(waitMs, longestTimerMs));
    return () => clearTimeout(timer);
  },
};

/** Node fires a timer beyond 31 bits after 1 ms instead of waiting for it. */
export const longestTimerMs = 2 ** 31 - 1;

/** Waits, unless the signal aborts first: then rejects with its reason. */
export function pause({
  waitMs,
  signal,
  clock = systemClock,
}: {
  waitMs: number;
  signal?: AbortSignal;
  clock?: Clock;
}): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const abort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(waitMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
