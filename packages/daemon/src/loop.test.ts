import { describe, expect, it } from "vitest";

import { createLog } from "./log.ts";
import { createLoop, type LoopOptions } from "./loop.ts";
import { createManualClock, settle } from "./testing.ts";

function setup(options: Partial<LoopOptions> = {}) {
  const clock = createManualClock();
  const lines: { message: string; failures?: number }[] = [];
  const log = createLog({ app: "test", to: { write: (line) => void lines.push(JSON.parse(line)) } });
  const runs: number[] = [];
  const run = async () => void runs.push(clock.now());
  const loop = createLoop({ name: "sweep", intervalMs: 1_000, run, log, clock, random: () => 0.5, ...options });
  return { clock, lines, loop, runs };
}

const never = new AbortController().signal;

describe("createLoop", () => {
  it("runs at once and then at every interval", async () => {
    const { clock, loop, runs } = setup();
    await loop.start();
    await clock.advance(3_500);
    expect(runs).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it("lets chance move the wait between 0.8 and 1.2 of the interval", async () => {
    const waits = [0, 1].map(async (chance) => {
      const { clock, loop } = setup({ random: () => chance });
      await loop.start();
      await settle();
      return clock.waits();
    });
    expect(await Promise.all(waits)).toEqual([[800], [1_200]]);
  });

  it("waits as long as the run answers", async () => {
    const { clock, loop } = setup({ run: async () => ({ nextMs: 40 }) });
    await loop.start();
    await settle();
    expect(clock.waits()).toEqual([40]);
  });

  it("runs now when it is woken while it waits, and keeps one timer", async () => {
    const { clock, loop, runs } = setup();
    await loop.start();
    await clock.advance(300);
    loop.wake();
    await clock.advance(999);
    expect(runs).toEqual([0, 300]);
    expect(clock.waits()).toEqual([1]);
  });

  it("never overlaps with itself: a wake during a run makes one more run follow it", async () => {
    const gate = Promise.withResolvers<void>();
    let begun = 0;
    let inside = 0;
    let most = 0;
    const { clock, loop } = setup({
      run: async () => {
        begun += 1;
        most = Math.max(most, (inside += 1));
        if (begun === 1) await gate.promise;
        inside -= 1;
      },
    });
    await loop.start();
    loop.wake();
    loop.wake();
    await clock.advance(5_000);
    expect(begun).toBe(1);
    gate.resolve();
    await clock.advance(0);
    expect({ begun, most }).toEqual({ begun: 2, most: 1 });
    expect(clock.waits()).toEqual([1_000]);
  });

  it("logs a failure, backs off further with each one, and says when it works again", async () => {
    let runs = 0;
    const { clock, lines, loop } = setup({
      backoff: { baseMs: 100, capMs: 300, jitter: 0 },
      run: async () => {
        if ((runs += 1) <= 4) throw new Error("no database");
      },
    });
    await loop.start();
    const waits: number[] = [];
    for (let step = 0; step < 4; step += 1) {
      await settle();
      waits.push(...clock.waits());
      await clock.advance(clock.waits()[0] ?? 0);
    }
    expect(waits).toEqual([100, 200, 300, 300]);
    expect(lines.map((line) => line.failures)).toEqual([1, 2, 3, 4, 4]);
    expect(lines.at(-1)?.message).toBe("loop works again");
  });

  it("forgets its failures once it works again", async () => {
    const outcomes = ["fails", "fails", "works", "works", "fails"];
    const { clock, lines, loop } = setup({
      backoff: { baseMs: 100, capMs: 300, jitter: 0 },
      run: async () => {
        if (outcomes.shift() === "fails") throw new Error("no database");
      },
    });
    await loop.start();
    await clock.advance(100 + 200 + 1_000 + 1_000);
    expect(clock.waits()).toEqual([100]);
    expect(lines.map((line) => line.failures)).toEqual([1, 2, 2, 1]);
  });

  it("is not woken out of a backoff", async () => {
    let runs = 0;
    const { clock, loop } = setup({
      run: async () => {
        runs += 1;
        throw new Error("no database");
      },
    });
    await loop.start();
    await settle();
    loop.wake();
    await clock.advance(1);
    expect(runs).toBe(1);
  });

  it("stops by telling the run, waiting for it, and leaving no timer", async () => {
    let told = false;
    const { clock, loop } = setup({
      run: (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(void (told = true)))),
    });
    await loop.start();
    await loop.stop(never);
    loop.wake();
    await clock.advance(10_000);
    expect(told).toBe(true);
    expect(clock.waits()).toEqual([]);
  });

  it("stops although the run answers the stop by throwing, and does not log that", async () => {
    const { lines, loop } = setup({
      run: (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
    });
    await loop.start();
    await loop.stop(never);
    expect(lines).toEqual([]);
  });

  it("gives up at the deadline on a run that does not end", async () => {
    const { loop } = setup({ run: () => new Promise(() => {}) });
    await loop.start();
    await expect(loop.stop(AbortSignal.abort())).rejects.toMatchObject({
      reason: "deadline",
      message: expect.stringContaining("the running round of loop sweep"),
    });
  });

  it("can be stopped before it started, and then never runs", async () => {
    const { clock, loop, runs } = setup();
    await loop.stop(never);
    await clock.advance(5_000);
    expect(runs).toEqual([]);
  });
});
