import { type Backoff, backoffMs } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";
import { within } from "./deadline.ts";
import type { Log } from "./log.ts";
import type { Service } from "./service.ts";

export interface Loop extends Service {
  /** Runs now instead of at the end of the wait; a wake during a run makes the next one follow at once. */
  wake(): void;
}

export interface LoopOptions {
  name: string;
  /** The wait between two runs, unless a run answers another one. */
  intervalMs: number;
  /** The share of the wait that chance adds or takes, so that replicas do not march in step. */
  jitter?: number;
  /** One round. The signal aborts when the loop stops. It may answer how long to wait before the next. */
  run: (signal: AbortSignal) => Promise<LoopAnswer>;
  log: Log;
  backoff?: Backoff;
  clock?: Clock;
  random?: () => number;
}

export type LoopAnswer = void | { nextMs: number };

/**
 * Runs until it is stopped: the first time at once, never twice at a time.
 *
 * idle --time is up, or wake--> running --done--> idle (interval, or what the run answered; 0 when it was woken)
 *                               running --failed--> resting (backoff; a wake changes nothing, the fault is still there)
 */
export function createLoop({
  name,
  intervalMs,
  jitter = 0.2,
  run,
  log,
  backoff = { baseMs: 250, capMs: 5_000 },
  clock = systemClock,
  random = Math.random,
}: LoopOptions): Loop {
  const stopping = new AbortController();
  let state: "new" | "idle" | "running" | "resting" = "new";
  let isWoken = false;
  let failures = 0;
  let cancelWait = () => {};
  let round: Promise<void> = Promise.resolve();

  function begin(): void {
    cancelWait();
    state = "running";
    isWoken = false;
    round = once();
  }

  async function once(): Promise<void> {
    try {
      const answer = await run(stopping.signal);
      if (failures > 0) log.info({ loop: name, failures }, "loop works again");
      failures = 0;
      rest("idle", isWoken ? 0 : (answer?.nextMs ?? intervalMs) * (1 + jitter * (2 * random() - 1)));
    } catch (error) {
      // A run that is told to stop may well end by throwing.
      if (stopping.signal.aborted) return;
      failures += 1;
      const waitMs = backoffMs(failures, backoff, random);
      log.error({ loop: name, failures, waitMs: Math.round(waitMs), error }, "loop failed and will try again");
      rest("resting", waitMs);
    }
  }

  function rest(next: "idle" | "resting", waitMs: number): void {
    if (stopping.signal.aborted) return;
    state = next;
    cancelWait = clock.after(waitMs, begin);
  }

  return {
    name,
    async start() {
      if (state === "new") begin();
    },
    async stop(deadline) {
      stopping.abort();
      cancelWait();
      await within(round, { deadline, what: `the running round of loop ${name} to end` });
    },
    wake() {
      if (state === "running") isWoken = true;
      else if (state === "idle" && !stopping.signal.aborted) begin();
    },
  };
}
