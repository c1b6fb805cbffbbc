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
/** Where hints come quickly and much has no place, looking for it may take this share of the time. */
const busyShare = 0.25;

/**
 * Places tasks and replicas when there is a hint that something may be placed or has become free, and looks every ten
 * seconds otherwise, with one small query while there is nothing to place.
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
  let isHinted = true;
  /** Something waits for what nodes say of their replicas. */
  let isWatching = false;
  let restUntil = 0;
  const loop: Loop = createLoop({
    name: "place",
    intervalMs: idleMs,
    jitter: 0,
    log,
    async run(signal) {
      const restMs = restUntil - performance.now();
      if (restMs > 0) return { nextMs: restMs };
      // A hint says that there is something; without one a look costs less than an attempt.
      if (!isHinted && !(await placementOutlook(deps.db)).isDue) return { nextMs: idleMs };
      for (let hasMore = true; hasMore && !signal.aborted;) {
        isHinted = false;
        const startedAt = performance.now();
        const placed = await place();
        const tookMs = performance.now() - startedAt;
        // Whoever is at it may have read before what the hint was about was there.
        if (!placed.isOurs) return { nextMs: 100 };
        report(placed, tookMs);
        ({ hasMore } = placed);
        isWatching = placed.leaving + placed.left > 0;
        if (placed.isRefused && !hasMore) {
          isHinted = true;
          return { nextMs: refusedMs };
        }
        if (placed.left > 0 && !hasMore) restUntil = performance.now() + tookMs * (1 / busyShare - 1);
      }
      return { nextMs: idleMs };
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
        const isOurs =
          hint === "place" ||
          hint === "due" ||
          hint === "reconnected" ||
          (isWatching && hint.startsWith("environment:"));
        if (!isOurs) return;
        isHinted ||= hint !== "due";
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
