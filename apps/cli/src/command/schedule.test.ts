import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  CatchUp,
  Overlap,
  type PutScheduleRequest,
  ScheduleSchema,
  ScheduleState,
} from "@drover/proto/drover/schedule";
import { describe, expect, it } from "vitest";
import { createTestDrover } from "../testing.ts";

const dayMs = 86_400_000;
const tomorrow = Date.now() + dayMs;
const schedule = create(ScheduleSchema, {
  spec: {
    name: "nightly",
    workflow: "report",
    cron: "0 6 * * *",
    timeZone: "Europe/Berlin",
    input: { day: "${schedule.time}" },
    jitter: { seconds: 90n },
    catchUp: CatchUp.ALL,
    catchUpLimit: 100,
    overlap: Overlap.SKIP,
  },
  state: ScheduleState.ACTIVE,
  nextTimes: [0, 1, 2, 3, 4].map((day) => timestampFromMs(tomorrow + day * dayMs)),
  lastTime: timestampFromMs(Date.UTC(2026, 2, 29, 1)),
  lastRunId: "run-0000000000000001",
  error: 'There is no workflow "report".',
  errorAt: timestampFromMs(Date.UTC(2026, 2, 30)),
});

describe("drover schedule put", () => {
  const flags = ["--workflow", "report", "--cron", "0 6 * * *"];

  it("sends what the flags say", async () => {
    const asked: PutScheduleRequest[] = [];
    const drover = createTestDrover({
      schedules: {
        putSchedule(request) {
          asked.push(request);
          return { schedule, created: true };
        },
      },
    });
    const more = [
      "--zone",
      "Europe/Berlin",
      "--starts",
      "2026-01-31T06:00:00+01:00",
      "--jitter",
      "90s",
      "--version",
      "2",
    ];
    const policies = ["--catch-up", "all", "--catch-up-limit", "7", "--overlap", "skip", "-l", "team=ml"];
    const input = ["--input", '{"day":"${schedule.time}"}'];
    const { code, out, err } = await drover("schedule", "put", "nightly", ...flags, ...more, ...policies, ...input);
    expect({ code, err }).toEqual({ code: 0, err: "Created.\n" });
    expect(out).toContain("Schedule  nightly\n");
    expect(asked[0]?.schedule).toMatchObject({
      name: "nightly",
      workflow: "report",
      workflowVersion: 2,
      cron: "0 6 * * *",
      timeZone: "Europe/Berlin",
      startsAt: { seconds: BigInt(Date.UTC(2026, 0, 31, 5) / 1000) },
      jitter: { seconds: 90n },
      catchUp: CatchUp.ALL,
      catchUpLimit: 7,
      overlap: Overlap.SKIP,
      labels: { team: "ml" },
      input: { day: "${schedule.time}" },
    });
  });

  it("says everything that is wrong without asking the server", async () => {
    const drover = createTestDrover();
    const { code, err } = await drover("schedule", "put", "x", "--cron", "75 6 * *", "--zone", "Europe/Belin");
    expect(code).toBe(2);
    expect(err).toContain("--workflow: Expected the workflow to start, got none.\n");
    expect(err).toContain('got 4 fields in "75 6 * *".\n');
    expect(err).toContain('got "Europe/Belin"; did you mean "Europe/Berlin"?');
    expect(err).toContain("Try: drover schedule put --help\n");
  });

  it.each([
    [["--input", "[1]"], "Expected a JSON object for --input, got another kind of value."],
    [["--input", "{"], "Expected a JSON object for --input, got text that is none"],
    [["--input", "@/nowhere.json"], "Expected a file that can be read at /nowhere.json"],
    [["--input", '{"a":"${steps.b.output}"}'], "expected references to schedule.time and schedule.name only"],
    [["--ends", "2026-13-01T00:00:00Z"], "Expected a time such as 2026-01-31T06:00:00Z"],
    [["--ends", "tomorrow"], "Expected a time such as 2026-01-31T06:00:00Z"],
    [["--catch-up", "some"], "Expected one of skip, latest, all"],
  ])("refuses %j", async (wrong, message) => {
    const { code, err } = await createTestDrover()("schedule", "put", "nightly", ...flags, ...wrong);
    expect(code).toBe(2);
    expect(err.toLowerCase()).toContain(message.toLowerCase());
  });
});

describe("drover schedule get", () => {
  it("shows the next five times by the clocks of the zone, and why it could not start", async () => {
    const drover = createTestDrover({ schedules: { getSchedule: () => ({ schedule }) } });
    const { code, out } = await drover("schedule", "get", "nightly");
    expect(code).toBe(0);
    expect(out).toContain("State     active\n");
    expect(out).toContain("Jitter    up to 1m 30s\n");
    expect(out).toContain("Catch up  all, the newest 100\n");
    expect(out).toContain('Input     {"day":"${schedule.time}"}\n');
    expect(out).toMatch(/Last {6}2026-03-29T01:00:00Z {2}Sun 03:00 Europe\/Berlin {2}.* ago {2}run-0000000000000001\n/);
    expect(out).toContain('Error     There is no workflow "report".\n');
    expect(out.match(/ {2}in \d/g)).toHaveLength(5);
  });

  it("writes the words of the product for programs", async () => {
    const drover = createTestDrover({ schedules: { getSchedule: () => ({ schedule }) } });
    const { out } = await drover("schedule", "get", "nightly", "--json");
    expect(JSON.parse(out)).toMatchObject({
      state: "active",
      spec: { name: "nightly", catchUp: "all", overlap: "skip" },
    });
  });

  it("says what to type next when there is none", async () => {
    const drover = createTestDrover({
      schedules: {
        getSchedule: ({ name }) => {
          throw new ConnectError(
            `There is no schedule "${name}". List the schedules with "drover schedule list".`,
            Code.NotFound,
          );
        },
      },
    });
    expect(await drover("schedule", "get", "nope")).toEqual({
      code: 3,
      out: "",
      err: 'Error: There is no schedule "nope".\nTry: drover schedule list\n',
    });
  });
});

describe("drover schedule list", () => {
  it("goes through all pages", async () => {
    const tokens: string[] = [];
    const drover = createTestDrover({
      schedules: {
        listSchedules({ pageToken }) {
          tokens.push(pageToken);
          return { schedules: [schedule], nextPageToken: tokens.length < 2 ? "next" : "" };
        },
      },
    });
    const { out } = await drover("schedule", "list");
    expect(tokens).toEqual(["", "next"]);
    expect(out.split("\n")[1]).toMatch(
      /^nightly {3}active {2}report {4}0 6 \* \* \* {2}Europe\/Berlin {2}in .* ago +There is no/,
    );
  });

  it("says so when there are none", async () => {
    const drover = createTestDrover({ schedules: { listSchedules: () => ({}) } });
    expect((await drover("schedule", "list")).err).toBe("There are no schedules. Try: drover schedule put --help\n");
  });
});

describe("steering", () => {
  it("goes through all names", async () => {
    const done: string[] = [];
    const note = (what: string) => (request: { name: string }) => {
      done.push(`${what} ${request.name}`);
      return {};
    };
    const drover = createTestDrover({
      schedules: { pauseSchedule: note("pause"), resumeSchedule: note("resume"), deleteSchedule: note("delete") },
    });
    expect((await drover("schedule", "pause", "a", "b")).out).toContain("a  paused. Try: drover schedule resume a\n");
    expect((await drover("schedule", "resume", "a")).out).toBe("a  goes on\n");
    expect((await drover("schedule", "delete", "a")).out).toBe("a  deleted\n");
    expect(done).toEqual(["pause a", "pause b", "resume a", "delete a"]);
  });
});
