import { type CronTimes, cronTimes } from "./cron.ts";

export const catchUpPolicies = ["skip", "latest", "all"] as const;
/** What becomes of times that were missed in an outage or a pause: none, the newest, or all of them, oldest first. */
export type CatchUpPolicy = (typeof catchUpPolicies)[number];

export const overlapPolicies = ["allow", "skip"] as const;
/** What becomes of a time at which the run of the time before is still going. */
export type OverlapPolicy = (typeof overlapPolicies)[number];

/** When a schedule fires. */
export interface ScheduleTiming {
  cron: string;
  timeZone: string;
  /** No time before it counts. */
  startsAt?: Date | undefined;
  /** No time after it counts. */
  endsAt?: Date | undefined;
  /** A run starts so much after its time at most; how much is drawn from the name and the time, so all agree on it. */
  jitterMs: number;
}

export interface FiringQuestion {
  timing: ScheduleTiming;
  /** Unique among schedules; what the jitter is drawn from. */
  seed: string;
  /** The first time that nobody has dealt with. */
  nextAt: Date;
  now: Date;
  catchUp: CatchUpPolicy;
  /** How many missed times `all` fires at most: the newest. */
  catchUpLimit: number;
  /** How many times are fired at once at most. */
  most: number;
}

export interface FiringPlan {
  /** To be fired now, oldest first. */
  times: Date[];
  /** Missed and given up: from the first to the last of them. */
  dropped?: { from: Date; to: Date };
  /** What is next, and when it is to be fired; undefined when the schedule has ended. */
  next: NextTime | undefined;
}

export interface NextTime {
  at: Date;
  /** With its jitter. */
  dueAt: Date;
}

export const defaultCatchUpLimit = 100;
/** A time counts as missed once it could have been fired for so long; shorter outages, such as an upgrade, are none. */
const missedAfterMs = 60_000;

/** The first time after a moment, and when it is to be fired; undefined when there is none any more. */
export function nextTime(timing: ScheduleTiming, seed: string, after: Date): NextTime | undefined {
  const at = boundedTimes(timing).after(after.getTime());
  return at === undefined ? undefined : withJitter(timing, seed, at);
}

/** The next times after a moment, without jitter. */
export function nextTimes(timing: ScheduleTiming, after: Date, count: number): Date[] {
  const times = boundedTimes(timing);
  const found: Date[] = [];
  for (let at = times.after(after.getTime()); at !== undefined && found.length < count; at = times.after(at))
    found.push(new Date(at));
  return found;
}

/** A time with its jitter: the same for the same seed, time and jitter, whoever asks. */
export function withJitter({ jitterMs }: Pick<ScheduleTiming, "jitterMs">, seed: string, atMs: number): NextTime {
  const share = hash32(`${seed} ${atMs}`) / 2 ** 32;
  return { at: new Date(atMs), dueAt: new Date(atMs + Math.floor(share * (jitterMs + 1))) };
}

/**
 * Decides which times of a schedule are fired now. Times are dealt with in their order, so a jitter larger than the
 * distance between two times delays the later one rather than let it overtake.
 */
export function planFiring(question: FiringQuestion): FiringPlan {
  const { timing, seed, most } = question;
  const times = boundedTimes(timing);
  const fromMs = question.nextAt.getTime();
  const missedBeforeMs = question.now.getTime() - timing.jitterMs - missedAfterMs;
  const onTime = dueTimes(question, times, Math.max(fromMs, missedBeforeMs));
  const { kept, dropped } = judgeMissed(question, times, { fromMs, beforeMs: missedBeforeMs }, onTime.length > 0);
  const all = [...kept, ...onTime];
  const nextMs = all[most] ?? times.after(all.at(-1) ?? Math.max(fromMs, missedBeforeMs) - 1);
  return {
    times: all.slice(0, most).map((ms) => new Date(ms)),
    ...(dropped && { dropped }),
    next: nextMs === undefined ? undefined : withJitter(timing, seed, nextMs),
  };
}

function boundedTimes({ cron, timeZone, startsAt, endsAt }: ScheduleTiming): CronTimes {
  const times = cronTimes(cron, timeZone);
  const firstMs = startsAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  const lastMs = endsAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return {
    after(ms) {
      const next = times.after(Math.max(ms, firstMs - 1));
      return next === undefined || next > lastMs ? undefined : next;
    },
    newest: ({ fromMs, beforeMs, limit }) =>
      times.newest({ fromMs: Math.max(fromMs, firstMs), beforeMs: Math.min(beforeMs, lastMs + 1), limit }),
  };
}

/** What is due and not missed, one more than fits at most. */
function dueTimes({ timing, seed, now, most }: FiringQuestion, times: CronTimes, fromMs: number): number[] {
  const due: number[] = [];
  for (let at = times.after(fromMs - 1); at !== undefined && due.length <= most; at = times.after(at)) {
    if (withJitter(timing, seed, at).dueAt > now) break;
    due.push(at);
  }
  return due;
}

function judgeMissed(
  { catchUp, catchUpLimit }: FiringQuestion,
  times: CronTimes,
  range: { fromMs: number; beforeMs: number },
  isAnyOnTime: boolean,
): { kept: number[]; dropped?: { from: Date; to: Date } } {
  if (range.fromMs >= range.beforeMs) return { kept: [] };
  const limit = { skip: 0, latest: isAnyOnTime ? 0 : 1, all: catchUpLimit }[catchUp];
  const newest = times.newest({ ...range, limit: limit + 1 });
  const kept = limit === 0 ? [] : newest.slice(-limit);
  const lastDropped = newest.at(-1 - kept.length);
  return lastDropped === undefined
    ? { kept }
    : { kept, dropped: { from: new Date(range.fromMs), to: new Date(lastDropped) } };
}

/** FNV-1a, its bits mixed once more as texts that differ in their last letter would end up side by side. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
