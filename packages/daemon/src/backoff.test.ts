import { describe, expect, it } from "vitest";

import { backoffMs, retry } from "./backoff.ts";
import { createManualClock, settle } from "./testing.ts";

const shape = { baseMs: 100, capMs: 1_000 };

describe("backoffMs", () => {
  it("doubles with each failure and never exceeds the cap", () => {
    const waits = [1, 2, 3, 4, 5, 6, 2_000].map((failures) => backoffMs(failures, { ...shape, jitter: 0 }));
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000]);
  });

  it("lets chance only shorten the wait, by the given share", () => {
    expect(backoffMs(3, { ...shape, jitter: 0.5 }, () => 0)).toBe(400);
    expect(backoffMs(3, { ...shape, jitter: 0.5 }, () => 1)).toBe(200);
  });

  it("treats a failure count below one as the first failure", () => {
    expect(backoffMs(0, { ...shape, jitter: 0 })).toBe(100);
  });
});

describe("retry", () => {
  const setup = () => {
    const clock = createManualClock();
    return { clock, options: { ...shape, jitter: 0, clock } };
  };

  it("answers the first success after waiting longer each time", async () => {
    const { clock, options } = setup();
    const seen: number[] = [];
    const answer = retry(async (attempt) => (attempt < 3 ? Promise.reject(new Error("not yet")) : "done"), {
      ...options,
      onFailure: ({ waitMs }) => seen.push(waitMs),
    });
    await clock.advance(300);
    expect(await answer).toBe("done");
    expect(seen).toEqual([100, 200]);
  });

  it("gives up with the last error when the attempts are used up", async () => {
    const { clock, options } = setup();
    const answer = retry(async (attempt) => Promise.reject(new Error(`fault ${attempt}`)), { ...options, attempts: 3 });
    const ending = answer.catch((error: unknown) => String(error));
    await clock.advance(10_000);
    expect(await ending).toBe("Error: fault 3");
  });

  it("does not repeat what cannot succeed", async () => {
    const { options } = setup();
    let runs = 0;
    const answer = retry(async () => Promise.reject(new Error(`fault ${(runs += 1)}`)), {
      ...options,
      isRetryable: () => false,
    });
    await expect(answer).rejects.toThrow("fault 1");
  });

  it("stops waiting as soon as the signal aborts and leaves no timer behind", async () => {
    const { clock, options } = setup();
    const stop = new AbortController();
    const answer = retry(async () => Promise.reject(new Error("always")), { ...options, signal: stop.signal });
    await settle();
    expect(clock.waits()).toEqual([100]);
    stop.abort(new Error("asked to stop"));
    await expect(answer).rejects.toThrow("asked to stop");
    expect(clock.waits()).toEqual([]);
  });
});
