/**
 * The holder's own view of its lease: it ends `leaseSeconds` after the renewal was *sent*, by the monotonic clock.
 * Work is stopped `graceMs` before that, so that it is gone when the control plane hands the task on.
 */
export interface LeaseClock {
  renewed(sentAtMs: number, leaseSeconds: number): void;
  /** Milliseconds until work has to be stopped; negative when it is over. */
  remainingMs(): number;
}

export function createLeaseClock({
  graceMs,
  now = () => performance.now(),
}: {
  graceMs: number;
  now?: () => number;
}): LeaseClock {
  let endsAt = Number.NEGATIVE_INFINITY;
  return {
    renewed(sentAtMs, leaseSeconds) {
      // A grace longer than half the lease would leave no time to work.
      endsAt = sentAtMs + leaseSeconds * 1000 - Math.min(graceMs, leaseSeconds * 500);
    },
    remainingMs: () => endsAt - now(),
  };
}
