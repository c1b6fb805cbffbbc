import { longestTimerMs } from "@drover/daemon/clock";
import type { Wakeups } from "@drover/db/listen";

export interface Bell {
  /** Resolves after so long, at a hint since the last wait, or at the signal. */
  wait(ms: number): Promise<void>;
  close(): void;
}

export interface BellOptions {
  wakeups: Wakeups;
  /** Those that ring; beside them, the news that hints may have been missed does. */
  hints: readonly string[];
  signal: AbortSignal;
}

/** What a poller waits by: hints shorten the wait, and nothing else depends on them. */
export function createBell({ wakeups, hints, signal }: BellOptions): Bell {
  const ours = new Set([...hints, "reconnected"]);
  let isRung = false;
  let rouse = () => {};
  const ring = () => {
    isRung = true;
    rouse();
  };
  const unsubscribe = wakeups.subscribe((hint) => {
    if (ours.has(hint)) ring();
  });
  signal.addEventListener("abort", ring, { once: true });
  return {
    async wait(ms) {
      if (!isRung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(ms, longestTimerMs));
          rouse = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      isRung = false;
    },
    close() {
      unsubscribe();
      signal.removeEventListener("abort", ring);
    },
  };
}
