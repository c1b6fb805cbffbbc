import { DroverError } from "@drover/domain/error";
import { longestTimerMs } from "./clock.ts";

/** Waits for the work, but not past the deadline: then it rejects with reason `deadline`, naming what was awaited. */
export async function within<T>(
  work: Promise<T>,
  { deadline, what }: { deadline: AbortSignal; what: string },
): Promise<T> {
  const passed = Promise.withResolvers<never>();
  const abort = () =>
    passed.reject(
      new DroverError(
        "deadline",
        `Expected ${what} in time, but the deadline passed. Look at what it waits for, or allow it longer.`,
        {
          cause: deadline.reason,
        },
      ),
    );
  if (deadline.aborted) abort();
  else deadline.addEventListener("abort", abort, { once: true });
  try {
    // The loser of the race is still observed by it, so a late rejection is never unhandled.
    return await Promise.race([work, passed.promise]);
  } finally {
    deadline.removeEventListener("abort", abort);
  }
}

/** Resolves when the signal aborts, at once if it already has. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A signal that aborts after so long; one beyond what a timer can take aborts after 24 days. */
export function deadlineAfter(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.min(longestTimerMs, Math.max(0, Math.ceil(ms))));
}
