import type { Clock } from "./clock.ts";

export interface ManualClock extends Clock {
  /** Moves time on, firing what falls due in order and letting promises settle after each. */
  advance(byMs: number): Promise<void>;
  /** How long each timer still waits, soonest first. */
  waits(): number[];
}

/** A clock for tests that moves only when told to. */
export function createManualClock(): ManualClock {
  let now = 0;
  const timers = new Set<{ at: number; run: () => void }>();
  const next = () => [...timers].toSorted((a, b) => a.at - b.at)[0];
  return {
    now: () => now,
    after(waitMs, run) {
      const timer = { at: now + waitMs, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    waits: () => [...timers].map((timer) => timer.at - now).toSorted((a, b) => a - b),
    async advance(byMs) {
      const end = now + byMs;
      await settle();
      for (let timer = next(); timer && timer.at <= end; timer = next()) {
        timers.delete(timer);
        now = timer.at;
        timer.run();
        await settle();
      }
      now = end;
    },
  };
}

/** Lets every promise that can settle do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
