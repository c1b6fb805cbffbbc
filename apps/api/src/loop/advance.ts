import { createLoop, type Loop } from "@drover/daemon/loop";
import type { Log } from "@drover/daemon/log";
import type { Service } from "@drover/daemon/service";
import { advanceOutlook } from "@drover/db/query/advance";
import type { Wakeups } from "@drover/db/listen";
import { createWaker, silentWaker } from "@drover/db/wake";
import { createAdvanceRuns } from "../operation/advance-runs.ts";
import type { Deps } from "../operation/context.ts";
import type { DefinitionCache } from "../operation/definition-cache.ts";

export interface AdvanceLoopOptions {
  deps: Deps;
  wakeups: Pick<Wakeups, "subscribe">;
  definitions: DefinitionCache;
  /** Whether hints come; otherwise it looks more often. */
  isListening: boolean;
  /** Of one transaction. */
  maxRuns?: number;
  log: Log;
  onAdvanced?: (runs: number) => void;
}

const idleMs = 10_000;
const deafMs = 500;
/** While one transaction is in the hands of Postgres, this process decides about the runs of another one. */
const maxLanes = 2;
/** How often the next steps are hinted at: a run of short steps waits for every one of them. */
const hintMs = 5;

/** Advances runs when something was signalled to them, when their time has come, and now and then in case a hint was lost. */
export function createAdvanceLoop({
  deps,
  wakeups,
  definitions,
  isListening,
  maxRuns = 200,
  log,
  onAdvanced,
}: AdvanceLoopOptions): Service {
  const waker = isListening ? createWaker({ db: deps.db, intervalMs: hintMs }) : silentWaker;
  const advanceRuns = createAdvanceRuns({
    deps: { ...deps, waker },
    definitions,
    maxRuns,
    onFault: (error, runId) => log.error({ error, run: runId }, "a run could not be advanced; it has failed"),
  });
  const restMs = isListening ? idleMs : deafMs;
  let isHinted = true;
  const loop: Loop = createLoop({
    name: "advance",
    intervalMs: restMs,
    jitter: 0,
    log,
    async run(signal) {
      // A hint says that there is something; without one a look costs less than an attempt.
      if (!isHinted) {
        const outlook = await advanceOutlook(deps.db);
        const isDue = outlook.hasSignals || (outlook.nextMs ?? Infinity) <= 0;
        if (!isDue) return { nextMs: waitMs(outlook.nextMs) };
      }
      isHinted = false;
      await advanceAll(signal);
      const { hasSignals, nextMs } = await advanceOutlook(deps.db);
      // What is signalled but was not taken is in the hands of another replica, or has just come.
      return { nextMs: hasSignals ? 20 : waitMs(nextMs) };
    },
  });
  /** Until nothing is left to do; further lanes join where one transaction does not take everything. */
  async function advanceAll(signal: AbortSignal): Promise<void> {
    const lanes = new Set<Promise<void>>();
    const open = () => {
      const lane: Promise<void> = advance().finally(() => lanes.delete(lane));
      lanes.add(lane);
    };
    const advance = async () => {
      for (let hasMore = true; hasMore && !signal.aborted;) {
        const advanced = await advanceRuns();
        ({ hasMore } = advanced);
        if (advanced.runs > 0) onAdvanced?.(advanced.runs);
        if (advanced.isFull && lanes.size < maxLanes) open();
      }
    };
    open();
    while (lanes.size > 0) {
      const ended = await Promise.allSettled(lanes);
      for (const lane of ended) if (lane.status === "rejected") throw lane.reason;
    }
  }

  const waitMs = (untilMs = restMs) => Math.min(restMs, Math.max(5, Math.ceil(untilMs) + 2));
  let unsubscribe = () => {};
  return {
    name: loop.name,
    async start() {
      unsubscribe = wakeups.subscribe((hint) => {
        if (hint !== "advance" && hint !== "reconnected") return;
        isHinted = true;
        loop.wake();
      });
      await loop.start();
    },
    async stop(deadline) {
      unsubscribe();
      await loop.stop(deadline);
    },
  };
}
