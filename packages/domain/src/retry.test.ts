import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  completeRetryPolicy,
  decideLoss,
  decideRetry,
  neverRetried,
  retryDelayMs,
  type RetryPolicy,
  retryStrategies,
} from "./retry.ts";

const policy = completeRetryPolicy();

describe("decideRetry", () => {
  it("doubles the delay from the base up to the cap", () => {
    const delays = [1, 2, 3, 6, 7, 8, 1000].map((failures) => retryDelayMs(policy, failures, 1));
    expect(delays).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
  });

  it("takes between half and all of the delay, by the jitter", () => {
    expect(retryDelayMs(policy, 1, 0)).toBe(500);
    expect(retryDelayMs(policy, 1, 0.5)).toBe(750);
    expect(retryDelayMs({ ...policy, baseDelayMs: 3, maxDelayMs: 100 }, 1, 0)).toBe(1);
  });

  it("lets the delay grow by the strategy", () => {
    const delays = (strategy: RetryPolicy["strategy"]) =>
      [1, 2, 3].map((failures) => retryDelayMs({ ...policy, strategy, factor: 3 }, failures, 1));
    expect(delays("exponential")).toEqual([1000, 3000, 9000]);
    expect(delays("linear")).toEqual([1000, 2000, 3000]);
    expect(delays("constant")).toEqual([1000, 1000, 1000]);
    expect(delays("immediate")).toEqual([0, 0, 0]);
  });

  it("waits the whole delay without jitter", () => {
    const steady = completeRetryPolicy({ hasJitter: false });
    expect(decideRetry({ policy: steady, failures: 1, errorClass: "error", jitter: 0 })).toMatchObject({
      delayMs: 1000,
    });
  });

  it("retries nothing but the classes that the policy lists", () => {
    const own = completeRetryPolicy({ retryOn: ["timeout"] });
    expect(decideRetry({ policy: own, failures: 1, errorClass: "timeout", jitter: 0 }).retry).toBe(true);
    expect(decideRetry({ policy: own, failures: 1, errorClass: "error", jitter: 0 })).toEqual({
      retry: false,
      reason: "error_class",
    });
  });

  it("retries until the last attempt has failed", () => {
    expect(decideRetry({ policy, failures: 2, errorClass: "timeout", jitter: 1 })).toEqual({
      retry: true,
      delayMs: 2000,
    });
    expect(decideRetry({ policy, failures: 3, errorClass: "timeout", jitter: 1 })).toEqual({
      retry: false,
      reason: "attempts_exhausted",
    });
  });

  it("never retries a class that another attempt cannot mend, nor one that the policy excludes", () => {
    for (const errorClass of [...neverRetried, "exit_nonzero"]) {
      const own = completeRetryPolicy({ noRetryOn: ["exit_nonzero"] });
      expect(decideRetry({ policy: own, failures: 1, errorClass, jitter: 0 })).toEqual({
        retry: false,
        reason: "error_class",
      });
    }
  });

  it("waits exactly as long as the failure asked for, beyond the cap too", () => {
    expect(decideRetry({ policy, failures: 1, errorClass: "rate_limited", retryAfterMs: 90_000, jitter: 0 })).toEqual({
      retry: true,
      delayMs: 90_000,
    });
    expect(decideRetry({ policy, failures: 1, errorClass: "rate_limited", retryAfterMs: 0, jitter: 0 })).toEqual({
      retry: true,
      delayMs: 0,
    });
  });

  it("gives whole milliseconds between half the ceiling and the ceiling for every policy", () => {
    const days30 = 2_592_000_000;
    const arbitrary = fc.record({
      baseDelayMs: fc.integer({ min: 0, max: days30 }),
      maxDelayMs: fc.integer({ min: 0, max: days30 }),
      strategy: fc.constantFrom(...retryStrategies),
      factor: fc.double({ min: 1, max: 1000, noNaN: true }),
      failures: fc.integer({ min: 1, max: 1000 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(arbitrary, ({ failures, jitter, ...given }) => {
        const delay = retryDelayMs(given, failures, jitter);
        const ceiling = retryDelayMs(given, failures, 1);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeLessThanOrEqual(given.maxDelayMs);
        expect(delay).toBeLessThanOrEqual(ceiling);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(ceiling / 2));
        expect(retryDelayMs(given, failures + 1, 1)).toBeGreaterThanOrEqual(ceiling);
      }),
    );
  });
});

describe("decideLoss", () => {
  it("quarantines after three losses on two holders, not before", () => {
    expect(decideLoss({ losses: 2, distinctHolders: 2 })).toBe("requeue");
    expect(decideLoss({ losses: 5, distinctHolders: 1 })).toBe("requeue");
    expect(decideLoss({ losses: 3, distinctHolders: 2 })).toBe("quarantine");
  });
});
