import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scheduleFaults, scheduledInput } from "./schedule-fault.ts";
import { type FiringQuestion, nextTime, nextTimes, planFiring, withJitter } from "./schedule.ts";

const hourly = { cron: "0 * * * *", timeZone: "UTC", jitterMs: 0 };
const at = (text: string) => new Date(`2026-05-01T${text}Z`);
const question: FiringQuestion = {
  timing: hourly,
  seed: "1/hourly",
  nextAt: at("10:00:00"),
  now: at("10:00:00"),
  catchUp: "latest",
  catchUpLimit: 100,
  most: 10,
};
const plan = (changed: Partial<FiringQuestion>) => {
  const { times, dropped, next } = planFiring({ ...question, ...changed });
  const text = (time: Date) => time.toISOString().slice(11, 16);
  return {
    times: times.map(text),
    dropped: dropped && [text(dropped.from), text(dropped.to)],
    next: next && text(next.at),
  };
};

describe("planFiring", () => {
  it("fires a time that has come, and goes on to the next", () => {
    expect(plan({})).toEqual({ times: ["10:00"], next: "11:00" });
    expect(plan({ now: at("09:59:59") })).toEqual({ times: [], next: "10:00" });
  });

  it.each(["skip", "latest", "all"] as const)(
    "takes a time that is late by less than a minute as on time (%s)",
    (catchUp) => {
      expect(plan({ catchUp, now: at("10:00:59") })).toEqual({ times: ["10:00"], next: "11:00" });
    },
  );

  it("gives up missed times where they are to be skipped, and fires what is on time", () => {
    expect(plan({ catchUp: "skip", now: at("14:30:00") })).toEqual({
      times: [],
      dropped: ["10:00", "14:00"],
      next: "15:00",
    });
    expect(plan({ catchUp: "skip", now: at("14:00:30") })).toEqual({
      times: ["14:00"],
      dropped: ["10:00", "13:00"],
      next: "15:00",
    });
  });

  it("fires only the newest of missed times", () => {
    expect(plan({ now: at("14:30:00") })).toEqual({ times: ["14:00"], dropped: ["10:00", "13:00"], next: "15:00" });
    expect(plan({ now: at("14:00:30") })).toEqual({ times: ["14:00"], dropped: ["10:00", "13:00"], next: "15:00" });
    expect(plan({ now: at("10:30:00") })).toEqual({ times: ["10:00"], next: "11:00" });
  });

  it("fires all missed times in their order, no more than the limit of them, some at a time", () => {
    expect(plan({ catchUp: "all", now: at("13:00:30") }).times).toEqual(["10:00", "11:00", "12:00", "13:00"]);
    expect(plan({ catchUp: "all", catchUpLimit: 2, now: at("14:30:00") })).toEqual({
      times: ["13:00", "14:00"],
      dropped: ["10:00", "12:00"],
      next: "15:00",
    });
    expect(plan({ catchUp: "all", most: 2, now: at("14:30:00") })).toEqual({
      times: ["10:00", "11:00"],
      next: "12:00",
    });
  });

  it("ends with the last time", () => {
    const timing = { ...hourly, endsAt: at("11:00:00") };
    expect(plan({ timing, now: at("10:00:00") })).toEqual({ times: ["10:00"], next: "11:00" });
    expect(plan({ timing, nextAt: at("11:00:00"), now: at("11:00:00") })).toEqual({
      times: ["11:00"],
      next: undefined,
    });
    expect(plan({ timing, catchUp: "all", now: at("20:00:00") })).toEqual({
      times: ["10:00", "11:00"],
      next: undefined,
    });
  });

  it("deals with every time exactly once, whenever it is asked", () => {
    const waits = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 15 });
    const timings = fc.record({
      cron: fc.constantFrom("*/7 * * * *", "0,20 */2 * * *", "30 1-2 * * *", "*/50 * * * * *"),
      timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Australia/Lord_Howe"),
      jitterMs: fc.constantFrom(0, 90_000, 1_000_000),
    });
    const property = fc.property(timings, waits, fc.integer({ min: 1, max: 5 }), (timing, minutes, most) => {
      const start = new Date("2026-10-24T20:00:00Z");
      let next = nextTime(timing, "s", start);
      let nowMs = start.getTime();
      const fired: number[] = [];
      const step = () => {
        if (next === undefined || next.dueAt.getTime() > nowMs) return false;
        const now = new Date(nowMs);
        const asked = { timing, seed: "s", nextAt: next.at, now, most, catchUp: "all", catchUpLimit: 1000 } as const;
        const answer = planFiring(asked);
        for (const time of answer.times) {
          expect(withJitter(timing, "s", time.getTime()).dueAt.getTime()).toBeLessThanOrEqual(nowMs);
          fired.push(time.getTime());
        }
        next = answer.next;
        return true;
      };
      for (const wait of minutes) {
        nowMs += wait * 15_000;
        while (step());
      }
      const untilMs = next?.at.getTime() ?? nowMs;
      const expected = nextTimes(timing, start, fired.length + 1).map((time) => time.getTime());
      expect(fired).toEqual(expected.filter((time) => time < untilMs));
    });
    fc.assert(property, { numRuns: 60 });
  });
});

describe("the jitter", () => {
  it("stays in its bounds, is the same for all who ask, and differs by schedule and time", () => {
    const delays = new Set<number>();
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: 0, max: 3_600_000 }),
        (seed, time, jitterMs) => {
          const delay = withJitter({ jitterMs }, seed, time).dueAt.getTime() - time;
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(jitterMs);
          expect(withJitter({ jitterMs }, seed, time).dueAt.getTime() - time).toBe(delay);
        },
      ),
    );
    for (let hour = 0; hour < 100; hour++)
      delays.add(withJitter({ jitterMs: 60_000 }, "1/a", hour * 3.6e6).dueAt.getTime() % 3.6e6);
    for (let name = 0; name < 100; name++) delays.add(withJitter({ jitterMs: 60_000 }, `1/${name}`, 0).dueAt.getTime());
    expect(delays.size).toBeGreaterThan(190);
  });

  it("spreads over the whole span", () => {
    const shares = Array.from({ length: 1000 }, (_, n) =>
      withJitter({ jitterMs: 9 }, `1/nightly-${n}`, 0).dueAt.getTime(),
    );
    for (let tenth = 0; tenth < 10; tenth++)
      expect(shares.filter((share) => share === tenth).length).toBeGreaterThan(60);
  });
});

describe("scheduleFaults", () => {
  it("tells all faults at once, each as what was expected and what came", () => {
    const timing = {
      cron: "0 25 * * *",
      timeZone: "Europe/Belin",
      jitterMs: 0,
      startsAt: new Date("2026-02-01T00:00:00Z"),
      endsAt: new Date("2026-01-01T00:00:00Z"),
    };
    expect(scheduleFaults({ timing, input: { day: "${schedule.tme}" } })).toEqual([
      { field: "cron", message: expect.stringMatching(/^expected the hour as 0 to 23.* got "25"$/) },
      {
        field: "time_zone",
        message:
          'expected the name of a time zone such as UTC or Europe/Berlin, got "Europe/Belin"; did you mean "Europe/Berlin"?',
      },
      {
        field: "ends_at",
        message: "expected a time after starts_at (2026-02-01T00:00:00.000Z), got 2026-01-01T00:00:00.000Z",
      },
      { field: "input", message: expect.stringContaining('got "tme"; did you mean "time"?') },
    ]);
  });

  it.each(["${steps.a.output}", "${input.x}", "${schedule.time", "${1 +}"])("refuses an input with %j", (text) => {
    expect(scheduleFaults({ timing: hourly, input: { a: [text] } })).toHaveLength(1);
  });

  it("puts the time and the name where the input asks for them", () => {
    const input = { day: "${schedule.time}", note: "for ${schedule.name}", plain: 7, price: "$${x}" };
    expect(scheduleFaults({ timing: hourly, input })).toEqual([]);
    expect(scheduledInput(input, { name: "nightly", time: at("10:00:00") })).toEqual({
      value: { day: "2026-05-01T10:00:00.000Z", note: "for nightly", plain: 7, price: "${x}" },
    });
  });
});
