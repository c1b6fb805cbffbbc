import type { Log } from "@drover/daemon/log";
import { createLoop } from "@drover/daemon/loop";
import type { Service } from "@drover/daemon/service";
import type { Wakeups } from "@drover/db/listen";
import type { Deps } from "../operation/context.ts";
import { fireSchedules, type StartRun } from "../operation/fire-schedules.ts";

export interface ScheduleLoopOptions {
  deps: Deps;
  log: Log;
  start: StartRun;
  wakeups: Pick<Wakeups, "subscribe">;
  /** The longest wait: what a schedule that was put without a hint may be late. */
  idleMs?: number;
}

/**
 * Fires schedules on time: it sleeps until the next one is due, for ten seconds at most, so that an idle replica asks
 * only every ten seconds; a hint that a schedule was put or resumed wakes it.
 */
export function createScheduleLoop({ deps, log, start, wakeups, idleMs = 10_000 }: ScheduleLoopOptions): Service {
  const loop = createLoop({
    name: "fire schedules",
    intervalMs: idleMs,
    // The wait ends when a time has come: chance would make it late.
    jitter: 0,
    log,
    async run() {
      const { fired, failures, untilDueMs } = await fireSchedules(deps, { start });
      for (const { schedule, message, cause } of failures) {
        if (cause === undefined) log.warn({ schedule, message }, "a schedule could not start its run");
        else log.error({ schedule, message, error: cause }, "a schedule could not start its run");
      }
      if (fired > 0) log.info({ fired }, "started runs by schedule");
      return { nextMs: waitMs(untilDueMs, idleMs) };
    },
  });
  let unsubscribe = () => {};
  return {
    name: loop.name,
    async start() {
      unsubscribe = wakeups.subscribe((hint) => {
        if (hint === "schedule" || hint === "reconnected") loop.wake();
      });
      await loop.start();
    },
    async stop(deadline) {
      unsubscribe();
      await loop.stop(deadline);
    },
  };
}

function waitMs(untilDueMs: number | undefined, idleMs: number): number {
  if (untilDueMs === undefined) return idleMs;
  // What is overdue is in the hands of another replica. A timer may end a moment too early, and would ask in vain.
  return untilDueMs <= 0 ? 100 : Math.min(idleMs, Math.ceil(untilDueMs) + 2);
}
