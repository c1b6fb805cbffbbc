import { classesOf } from "./error-class.ts";

export const retryStrategies = ["exponential", "linear", "constant", "immediate"] as const;
export type RetryStrategy = (typeof retryStrategies)[number];

/** What a submitter may say about further attempts. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  maxAttempts: number;
  baseDelayMs: number;
  maxDelayMs: number;
  /** How the wait grows with the failures. */
  strategy: RetryStrategy;
  /** What an exponential wait is multiplied by each time. */
  factor: number;
  /** Draws each wait from its upper half. */
  hasJitter: boolean;
  /** Where given, other error classes end the task at once. */
  retryOn?: string[];
  /** Error classes that end the task at once, besides those of `neverRetried`. */
  noRetryOn: string[];
}

export interface RetryQuestion {
  policy: RetryPolicy;
  /** Failed attempts so far, this one included; losses and releases do not count. */
  failures: number;
  errorClass: string;
  /** Set by whoever failed: waited exactly, instead of what the policy says. */
  retryAfterMs?: number;
  /** From 0 to 1, drawn by the caller; not used by a policy without jitter. */
  jitter: number;
}

export type RetryVerdict =
  | { retry: true; delayMs: number }
  | { retry: false; reason: "error_class" | "attempts_exhausted" };

export const defaultRetryPolicy: Readonly<RetryPolicy> = {
  maxAttempts: 3,
  baseDelayMs: 1000,
  maxDelayMs: 60_000,
  strategy: "exponential",
  factor: 2,
  hasJitter: true,
  noRetryOn: [],
};

/** Error classes that another attempt cannot mend, under any policy. */
export const neverRetried: readonly string[] = classesOf("final");

/** Losses on different holders speak against the task; on a single holder they may be its own fault, for a while. */
export const quarantineAfter = { losses: 3, distinctHolders: 2, lossesAnywhere: 10 } as const;

/** Fills the parts that a submitter left out. */
export function completeRetryPolicy(given: Partial<RetryPolicy> = {}): RetryPolicy {
  return { ...defaultRetryPolicy, noRetryOn: [], ...given };
}

/** Decides whether a failed attempt is followed by another one, and how long that one waits. */
export function decideRetry({ policy, failures, errorClass, retryAfterMs, jitter }: RetryQuestion): RetryVerdict {
  const isExcluded = policy.noRetryOn.includes(errorClass) || policy.retryOn?.includes(errorClass) === false;
  if (neverRetried.includes(errorClass) || isExcluded) {
    return { retry: false, reason: "error_class" };
  }
  if (failures >= policy.maxAttempts) {
    return { retry: false, reason: "attempts_exhausted" };
  }
  return { retry: true, delayMs: retryAfterMs ?? retryDelayMs(policy, failures, policy.hasJitter ? jitter : 1) };
}

/**
 * Milliseconds to wait after the given number of failures; the twin of `drover.retry_delay_ms`:
 * floor(min(maxDelayMs, growth) * (0.5 + jitter / 2)), all in double precision, where growth is 0 (immediate),
 * baseDelayMs (constant), baseDelayMs * failures (linear) or baseDelayMs * factor^min(failures - 1, 62) (exponential).
 */
export function retryDelayMs(
  { baseDelayMs, maxDelayMs, strategy, factor }: Omit<RetryPolicy, "maxAttempts" | "noRetryOn" | "hasJitter">,
  failures: number,
  jitter: number,
): number {
  const growthMs = {
    immediate: 0,
    constant: baseDelayMs,
    linear: baseDelayMs * failures,
    exponential: baseDelayMs * factor ** Math.min(failures - 1, 62),
  }[strategy];
  return Math.floor(Math.min(maxDelayMs, growthMs) * (0.5 + jitter / 2));
}

/** Decides whether a task whose lease was lost goes back into its queue or is kept away from further holders. */
export function decideLoss({
  losses,
  distinctHolders,
}: {
  losses: number;
  distinctHolders: number;
}): "requeue" | "quarantine" {
  const isPoison = losses >= quarantineAfter.losses && distinctHolders >= quarantineAfter.distinctHolders;
  return isPoison || losses >= quarantineAfter.lossesAnywhere ? "quarantine" : "requeue";
}
