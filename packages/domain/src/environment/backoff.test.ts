import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countFailure, forgive, forgivenAfterMs, isGivenUp, noTries, restartDelayMs } from "./backoff.ts";

const policy = { baseDelaySeconds: 0.5, maxDelaySeconds: 30 };

describe("the wait before a restart", () => {
  it("is none after the first failure, then the base, doubled up to the maximum", () => {
    expect([1, 2, 3, 4, 8, 9, 5000].map((failures) => restartDelayMs(failures, policy))).toEqual([
      0, 500, 1000, 2000, 30_000, 30_000, 30_000,
    ]);
  });

  it("never shrinks from one failure to the next, and never exceeds the maximum", () => {
    const seconds = fc.double({ min: 0.001, max: 1000, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), seconds, seconds, (failures, a, b) => {
        const delays = { baseDelaySeconds: Math.min(a, b), maxDelaySeconds: Math.max(a, b) };
        const waitMs = restartDelayMs(failures, delays);
        expect(waitMs).toBeLessThanOrEqual(delays.maxDelaySeconds * 1000);
        expect(restartDelayMs(failures + 1, delays)).toBeGreaterThanOrEqual(waitMs);
      }),
    );
  });
});

describe("failures", () => {
  it("are counted, and forgotten after ten healthy minutes", () => {
    const twice = countFailure(countFailure(noTries, policy, 0), policy, 1000);
    expect(twice).toEqual({ failures: 2, nextAtMs: 1500 });
    expect(forgive(twice, forgivenAfterMs - 1)).toBe(twice);
    expect(forgive(twice, forgivenAfterMs)).toEqual(noTries);
  });

  it("end in giving up only where the policy has an end", () => {
    const tries = { failures: 4, nextAtMs: 0 };
    expect([{}, { maxRestarts: 4 }, { maxRestarts: 3 }].map((one) => isGivenUp(tries, one))).toEqual([
      false,
      false,
      true,
    ]);
  });
});
