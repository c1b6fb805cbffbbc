import { Cron, CronPattern } from "croner";
import { changeBetween, longestRepeatMs, momentsOf, wallTime, zoneOffset } from "./time-zone.ts";

/**
 * The times of a cron expression in a time zone. The library finds the times that clocks show; what becomes of them
 * where clocks are set is decided here:
 * - a time that clocks leap over counts once, at the moment at which the gap ends;
 * - a time that they show twice counts the first time only; but an expression that holds in every hour of the day goes on
 *   as time does, and counts both, or a schedule of every minute would stand still for an hour.
 */
export interface CronTimes {
  /** The first time after a moment; undefined when there is none. */
  after(ms: number): number | undefined;
  /** The newest times before a moment that are not before another one, oldest first. */
  newest(range: { fromMs: number; beforeMs: number; limit: number }): number[];
}

/** Reads a cron expression that `cronFault` found nothing wrong with. */
export function cronTimes(cron: string, zone: string): CronTimes {
  const walls = new Cron(cron, { mode: "5-or-6-parts", utcOffset: 0 });
  const isEveryHour = new CronPattern(cron, "UTC", { mode: "5-or-6-parts" }).hour.every((hour) => hour > 0);
  const nextWall = (wallMs: number) => walls.nextRun(new Date(wallMs))?.getTime();
  const counted = (wallMs: number): number[] => (isEveryHour ? momentsOf(zone, wallMs) : [momentsOf(zone, wallMs)[0]]);

  /** The first time in the hour that clocks are about to show again, where `ms` lies in its first showing. */
  const repeated = (ms: number): number | undefined => {
    if (!isEveryHour || zoneOffset(zone, ms + longestRepeatMs) >= zoneOffset(zone, ms)) return undefined;
    const changeMs = changeBetween(zone, ms, ms + longestRepeatMs);
    const wallMs = nextWall(wallTime(zone, changeMs) - 1000);
    return wallMs === undefined ? undefined : wallMs - zoneOffset(zone, changeMs);
  };
  return {
    after(ms) {
      for (let wallMs = nextWall(wallTime(zone, ms)); wallMs !== undefined; wallMs = nextWall(wallMs)) {
        const next = counted(wallMs).find((moment) => moment > ms);
        if (next !== undefined) return Math.min(next, repeated(ms) ?? next);
      }
      return undefined;
    },
    newest({ fromMs, beforeMs, limit }) {
      const found = new Set<number>();
      const repeatMs = Math.max(0, zoneOffset(zone, beforeMs - longestRepeatMs) - zoneOffset(zone, beforeMs));
      let wallMs = wallTime(zone, beforeMs) + repeatMs;
      for (;;) {
        const [previous] = walls.previousRuns(1, new Date(wallMs));
        if (previous === undefined) break;
        wallMs = previous.getTime();
        const moments = counted(wallMs);
        for (const moment of moments) if (moment >= fromMs && moment < beforeMs) found.add(moment);
        // Whatever is still to come is older than this; of what clocks show twice, the first showings came too soon.
        const reachedMs = Math.max(...moments);
        if (reachedMs < fromMs || (found.size >= limit && countFrom(found, reachedMs) >= limit)) break;
      }
      return [...found].toSorted((a, b) => a - b).slice(-limit);
    },
  };
}

function countFrom(moments: Iterable<number>, fromMs: number): number {
  let count = 0;
  for (const moment of moments) if (moment >= fromMs) count += 1;
  return count;
}
