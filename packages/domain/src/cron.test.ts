import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cronFault } from "./cron-fault.ts";
import { cronTimes } from "./cron.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** The moments at which each zone sets its clocks in 2026: Lord Howe by half an hour, Apia never. */
const changes: Record<string, string[]> = {
  "Europe/Berlin": ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"],
  "America/New_York": ["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"],
  "Australia/Lord_Howe": ["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"],
  "Pacific/Apia": ["2026-06-01T00:00:00Z"],
};
const places = Object.entries(changes).flatMap(([zone, moments]) => moments.map((moment) => ({ zone, moment })));

function timesFrom(cron: string, zone: string, from: string, count: number): string[] {
  const times = cronTimes(cron, zone);
  const found: string[] = [];
  for (let at: number | undefined = Date.parse(from); found.length < count;) {
    at = times.after(at);
    if (at === undefined) break;
    found.push(new Date(at).toISOString().replace(":00.000Z", "Z"));
  }
  return found;
}

describe("where clocks are set", () => {
  it("fires a time that does not exist once, when the gap ends", () => {
    expect(timesFrom("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2)).toEqual([
      "2026-03-29T01:00Z",
      "2026-03-30T00:30Z",
    ]);
    expect(timesFrom("*/15 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", 2)).toEqual([
      "2026-03-08T07:00Z",
      "2026-03-09T06:00Z",
    ]);
    expect(timesFrom("10 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2)).toEqual([
      "2026-10-03T15:30Z",
      "2026-10-04T15:10Z",
    ]);
  });

  it("fires a time that exists twice the first time only", () => {
    expect(timesFrom("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2)).toEqual([
      "2026-10-25T00:30Z",
      "2026-10-26T01:30Z",
    ]);
    expect(timesFrom("*/30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", 3)).toEqual([
      "2026-11-01T05:00Z",
      "2026-11-01T05:30Z",
      "2026-11-02T06:00Z",
    ]);
    expect(timesFrom("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2)).toEqual([
      "2026-04-04T14:45Z",
      "2026-04-05T15:15Z",
    ]);
  });

  it("goes on as time does where the expression holds in every hour", () => {
    expect(timesFrom("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4)).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T01:00Z",
      "2026-10-25T02:00Z",
      "2026-10-25T03:00Z",
    ]);
    expect(timesFrom("*/20 * * * *", "Australia/Lord_Howe", "2026-04-04T14:35:00Z", 5)).toEqual([
      "2026-04-04T14:40Z",
      "2026-04-04T15:10Z",
      "2026-04-04T15:30Z",
      "2026-04-04T15:50Z",
      "2026-04-04T16:10Z",
    ]);
  });

  it("agrees with clocks that are read minute by minute, forwards and backwards", () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 4 });
    const hours = fc.oneof(
      fc.constant("*" as const),
      fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 12 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        minutes,
        hours,
        fc.integer({ min: -8 * 60, max: 8 * 60 }),
        fc.integer({ min: 1, max: 20 }),
        ({ zone, moment }, minute, hour, startMinutes, limit) => {
          const cron = `${minute.join(",")} ${hour === "*" ? "*" : hour.join(",")} * * *`;
          const fromMs = Date.parse(moment) + startMinutes * minuteMs;
          const toMs = fromMs + 30 * hourMs;
          const expected = readClocks(zone, new Set(minute), hour === "*" ? undefined : new Set(hour), fromMs, toMs);
          const times = cronTimes(cron, zone);
          const found: number[] = [];
          for (let at = times.after(fromMs - 1); at !== undefined && at < toMs; at = times.after(at)) found.push(at);
          expect(found, cron).toEqual(expected);
          expect(times.newest({ fromMs, beforeMs: toMs, limit }), cron).toEqual(expected.slice(-limit));
          const middleMs = Date.parse(moment) + 37 * minuteMs;
          const before = expected.filter((at) => at < middleMs);
          expect(times.newest({ fromMs, beforeMs: middleMs, limit }), cron).toEqual(before.slice(-limit));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("any expression", () => {
  const field = (min: number, max: number) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constant("*") },
      fc.integer({ min, max }).map(String),
      fc.integer({ min: 2, max: 15 }).map((step) => `*/${Math.min(step, max)}`),
    );
  const cron = fc
    .tuple(field(0, 59), field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7))
    .map((fields) => fields.join(" "));

  it("gives times that are later than what was asked for, each later than the one before, none left out", () => {
    fc.assert(
      fc.property(
        cron,
        fc.constantFrom(...Object.keys(changes), "UTC", "Asia/Kolkata"),
        fc.date({ min: new Date("2020-01-01"), max: new Date("2040-01-01"), noInvalidDate: true }),
        (expression, zone, start) => {
          expect(cronFault(expression)).toBeUndefined();
          const times = cronTimes(expression, zone);
          const first = times.after(start.getTime());
          const second = times.after(first ?? 0);
          expect(first).toBeGreaterThan(start.getTime());
          expect(second).toBeGreaterThan(first ?? 0);
          // Asked from anywhere in between, the answer is the same.
          const between = Math.floor((start.getTime() + (first ?? 0)) / 2);
          expect(times.after(Math.min(between, (first ?? 0) - 1))).toBe(first);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("cronFault", () => {
  it("finds nothing wrong with what can be read", () => {
    const fine = ["* * * * *", " 0  6 * * mon-fri ", "@daily", "@HOURLY", "*/10 * * * * *", "0 0 L * *", "0 0 29 2 *"];
    for (const expression of fine) expect(cronFault(expression), expression).toBeUndefined();
  });

  it.each([
    [
      "75 6 * * *",
      'expected the minute as 0 to 59 or *, also ranges (1-5), lists (1,3) and steps (*/2, 1-9/2), got "75"',
    ],
    ["0 9-5 * * MUN", /hour as 0 to 23.*got "9-5"; expected the day of the week as .*got "MUN"$/],
    ["* * * *", /^expected 5 fields \(minute, hour, .* got 4 fields in "\* \* \* \*"$/],
    ["", /got 0 fields/],
    ["0 0 31 2 *", /whose days are in none of its months$/],
    ["@dayly", /got "@dayly"; did you mean "@daily"\?$/],
    ["@reboot", /^expected one of @yearly, .* got "@reboot"$/],
    ["5/15 * * * *", /the minute as .* got "5\/15"$/],
  ])("says what is wrong with %j", (expression, message) => {
    expect(cronFault(expression)).toMatch(message);
  });
});

/** The same by another way: what clocks show at every minute of the range, and of the hours around it. */
function readClocks(
  zone: string,
  minutes: ReadonlySet<number>,
  hours: ReadonlySet<number> | undefined,
  fromMs: number,
  toMs: number,
): number[] {
  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  const shown = new Map<number, number[]>();
  for (let at = fromMs - 4 * hourMs; at < toMs + 4 * hourMs; at += minuteMs) {
    const wall = Date.parse(`${clock.format(at).replace(" ", "T")}Z`);
    shown.set(wall, [...(shown.get(wall) ?? []), at]);
  }
  const found = new Set<number>();
  const walls = [...shown.keys()].toSorted((a, b) => a - b);
  for (let wall = walls[0] ?? 0; wall <= (walls.at(-1) ?? 0); wall += minuteMs) {
    const at = new Date(wall);
    if (!minutes.has(at.getUTCMinutes()) || hours?.has(at.getUTCHours()) === false) continue;
    const here = shown.get(wall) ?? shown.get(walls.find((other) => other > wall) ?? 0) ?? [];
    const isEveryHour = hours === undefined || hours.size === 24;
    for (const moment of isEveryHour && shown.has(wall) ? here : here.slice(0, 1)) found.add(moment);
  }
  return [...found].filter((at) => at >= fromMs && at < toMs).toSorted((a, b) => a - b);
}
