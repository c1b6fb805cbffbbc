import type { RestartPolicy } from "./declaration.ts";

/** How often a replica has failed of late, and when it may be tried again. */
export interface Tries {
  /** In a row: since the start, or since it was healthy for long enough. */
  failures: number;
  /** By the clock of who asks. */
  nextAtMs: number;
}

/** So long it has to be healthy until what was before is forgotten. */
export const forgivenAfterMs = 600_000;

export const noTries: Tries = { failures: 0, nextAtMs: 0 };

type Delays = Pick<RestartPolicy, "baseDelaySeconds" | "maxDelaySeconds">;

/** The wait after so many failures in a row (1 or more): none after the first, then the base, doubled up to the maximum. */
export function restartDelayMs(failures: number, { baseDelaySeconds, maxDelaySeconds }: Delays): number {
  if (failures <= 1) return 0;
  return Math.min(maxDelaySeconds, baseDelaySeconds * 2 ** (failures - 2)) * 1000;
}

/** Counts one more failure. */
export function countFailure(tries: Tries, policy: Delays, nowMs: number): Tries {
  const failures = tries.failures + 1;
  return { failures, nextAtMs: nowMs + restartDelayMs(failures, policy) };
}

/** Forgets the failures of what has been healthy for long enough. */
export function forgive(tries: Tries, healthyMs: number): Tries {
  return healthyMs >= forgivenAfterMs ? noTries : tries;
}

/** Whether the policy allows no further restart. */
export function isGivenUp(tries: Tries, { maxRestarts }: Pick<RestartPolicy, "maxRestarts">): boolean {
  return maxRestarts !== undefined && tries.failures > maxRestarts;
}
