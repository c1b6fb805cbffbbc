import type { Log } from "@drover/daemon/log";
import { createLoop, type Loop } from "@drover/daemon/loop";
import type { Service } from "@drover/daemon/service";
import type { Wakeups } from "@drover/db/listen";
import { placementOutlook } from "@drover/db/query/placement";
import type { Deps } from "../operation/context.ts";
import { createPlace, type Placed } from "../operation/place/place.ts";

export interface PlaceLoopOptions {
  deps: Deps;
  log: Log;
  wakeups: Pick<Wakeups, "subscribe">;
  /** Whether hints come; otherwise it looks more often. */
  isListening: boolean;
  /** The longest wait. */
  idleMs?: number;
  onPlaced?: (placed: Placed) => void;
}

const deafMs = 1000;
/** Cancellations and the like hold rows for moments. */
const refusedMs = 50;
/** Hints come as often as tasks end: looking may take this share of the time, and finding no place for what there is. */
const lookingShare = 0.1;
const busyShare = 0.25;

/**
 * Places tasks and replicas when there is a hint that something may be placed or has become free, and looks every ten
 * seconds otherwise; a look is one small query while there is nothing to place.
 */
export function createPlaceLoop({
  deps,
  log,
  wakeups,
  isListening,
  idleMs = isListening ? 10_000 : deafMs,
  onPlaced,
}: PlaceLoopOptions): Service {
  const place = createPlace({ deps });
  /** Something waits for what nodes say of their replicas. */
  let isWatching = true;
  let isWoken = false;
  let restUntil = 0;
  const rest = (tookMs: number, share: number) => {
    restUntil = performance.now() + tookMs * (1 / share - 1);
  };
  const loop: Loop = createLoop({
    name: "place",
    intervalMs: idleMs,
    jitter: 0,
    log,
    async run(signal) {
      const restMs = restUntil - performance.now();
      if (restMs > 0) return { nextMs: isWoken ? restMs : idleMs };
      isWoken = false;
      const lookedAt = performance.now();
      const { isDue } = await placementOutlook(deps.db);
      rest(performance.now() - lookedAt, lookingShare);
      if (!isDue) return { nextMs: isWoken ? restUntil - performance.now() : idleMs };
      for (let hasMore = true; hasMore && !signal.aborted;) {
        const startedAt = performance.now();
        const placed = await place();
        const tookMs = performance.now() - startedAt;
        // Whoever is at it may have read before what the hint was about was there.
        if (!placed.isOurs) return { nextMs: 100 };
        report(placed, tookMs);
        ({ hasMore } = placed);
        isWatching = placed.leaving + placed.left > 0;
        restUntil = 0;
        if (placed.isRefused && !hasMore) return { nextMs: refusedMs };
        if (placed.left > 0 && !hasMore) rest(tookMs, busyShare);
      }
      return { nextMs: isWoken ? Math.max(0, restUntil - performance.now()) : idleMs };
    },
  });

  const report = (placed: Placed, tookMs: number) => {
    onPlaced?.(placed);
    const { tasks, replicas, takenBack, moved, left, reserved } = placed;
    if (tasks + replicas + takenBack + moved === 0) return;
    log.info({ tasks, replicas, takenBack, moved, left, reserved, ms: Math.round(tookMs) }, "placed");
  };

  let unsubscribe = () => {};
  return {
    name: loop.name,
    async start() {
      unsubscribe = wakeups.subscribe((hint) => {
        // `due`: tasks that had waited for a time. A replica that changed state may let another one go.
        const isReplica = isWatching && hint.startsWith("environment:");
        if (hint !== "place" && hint !== "due" && hint !== "reconnected" && !isReplica) return;
        isWoken = true;
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
