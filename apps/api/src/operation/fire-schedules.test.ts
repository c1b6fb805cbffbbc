import { type Database, type Executor, openDatabase } from "@drover/db/client";
import { createDirectory } from "@drover/db/query/directory";
import { findSchedule, type NewSchedule } from "@drover/db/query/schedule";
import { saveVersion } from "@drover/db/query/workflow";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { silentWaker } from "@drover/db/wake";
import { DroverError } from "@drover/domain/error";
import type { Definition } from "@drover/domain/workflow/definition";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Deps } from "./context.ts";
import { deleteSchedule } from "./delete-schedule.ts";
import { fireSchedules, type StartRun } from "./fire-schedules.ts";
import { pauseSchedule } from "./pause-schedule.ts";
import { putSchedule } from "./put-schedule.ts";
import { startRun } from "./start-run.ts";

const caller = { namespace: "default", actor: "test" };
const minuteMs = 60_000;

let database: TestDatabase;
let db: Database;
let deps: Deps;
beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 6, statementTimeoutMs: 10_000 });
  deps = { db, directory: createDirectory({ db }), waker: silentWaker };
  await saveWorkflow("report", {});
  // What is started is written down here, in the transaction that starts it.
  await db.run(
    sql`create table started (run_id bigint generated always as identity, key text unique, input json, labels json)`,
  );
});
afterAll(async () => {
  await db.close();
  await database.drop();
});
beforeEach(async () => {
  await db.run(sql`delete from drover.schedule`);
  await db.run(sql`delete from drover.event`);
  await db.run(sql`delete from drover.run_open`);
  await db.run(sql`truncate started`);
});

const start: StartRun = async (_deps, tx, _caller, { idempotencyKey = "", input, labels, workflow }) => {
  const [row] = await tx.run<{ run_id: string }>(
    sql`insert into started (key, input, labels) values (${idempotencyKey}, ${JSON.stringify(input)}::json, ${JSON.stringify(labels ?? null)}::json) returning run_id`,
  );
  if (workflow !== "report") throw new DroverError("not_found", `There is no workflow "${workflow}".`);
  return { runId: row?.run_id ?? "", created: true };
};

const draft = (changed: Partial<NewSchedule> = {}): NewSchedule => ({
  name: "hourly",
  workflow: "report",
  input: {},
  timing: { cron: "0 * * * *", timeZone: "UTC", jitterMs: 0 },
  catchUp: "latest",
  catchUpLimit: 100,
  overlap: "allow",
  ...changed,
});

async function saveWorkflow(name: string, rest: Partial<Definition>): Promise<void> {
  const definition: Definition = { name, steps: [{ id: "only", work: { kind: "task", type: "only" } }], ...rest };
  await db.transaction((tx) =>
    saveVersion(tx, { namespaceId: 1, name, format: "drover", source: "", definition, actor: "test" }),
  );
}

/** Puts a schedule and answers with its next time. */
async function put(changed: Partial<NewSchedule> = {}): Promise<Date> {
  const schedule = draft(changed);
  await putSchedule(deps, caller, schedule);
  return (await stored(schedule.name)).next_at ?? new Date(0);
}

async function stored(name = "hourly") {
  const row = await findSchedule(db, 1, name);
  if (row === undefined) throw new Error(`There is no schedule ${name}.`);
  return row;
}

async function startedKeys(): Promise<string[]> {
  return (await db.run<{ key: string }>(sql`select key from started order by run_id`)).map(({ key }) => key);
}

async function facts() {
  return db.run<{ kind: string; actor: string; run_ids: string[]; data: Record<string, unknown> }>(
    sql`select kind, actor, run_ids, data from drover.event where actor <> 'test' order by id`,
  );
}

const after = (time: Date, minutes: number) => new Date(time.getTime() + minutes * minuteMs);
const keyOf = (time: Date, name = "hourly") => `schedule:${name}:${time.toISOString()}`;

describe("fireSchedules", () => {
  it("starts the run of a time that has come, with its key and input, and goes on to the next", async () => {
    const time = await put({ input: { at: "${schedule.time}", by: "${schedule.name}" }, labels: { team: "a" } });
    expect(await fireSchedules(deps, { start, now: after(time, -1) })).toMatchObject({
      fired: 0,
      untilDueMs: minuteMs,
    });
    expect(await fireSchedules(deps, { start, now: time })).toEqual({
      fired: 1,
      failures: [],
      untilDueMs: 60 * minuteMs,
    });
    expect(await db.run(sql`select key, input, labels from started`)).toEqual([
      { key: keyOf(time), input: { at: time.toISOString(), by: "hourly" }, labels: { team: "a" } },
    ]);
    const row = await stored();
    expect(row).toMatchObject({ next_at: after(time, 60), last_at: time, error: null });
    expect(await facts()).toEqual([
      {
        kind: "schedule.fired",
        actor: "schedule:hourly",
        run_ids: [row.last_run_id],
        data: { schedule: "hourly", time: time.toISOString() },
      },
    ]);
    expect(await fireSchedules(deps, { start, now: time })).toMatchObject({ fired: 0 });
  });

  it("fires no time twice while replicas are at it at once, and none waits for another", async () => {
    const time = await put();
    const other = await put({ name: "other" });
    expect(other).toEqual(time);
    const replica = openDatabase({ url: database.url, maxConnections: 2, statementTimeoutMs: 10_000 });
    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slowStart: StartRun = async (...args) => {
      inside.resolve();
      await goOn.promise;
      return start(...args);
    };
    const slow = fireSchedules({ ...deps, db: replica }, { start: slowStart, now: time });
    await inside.promise;
    // The other replica has one of the two in its hands: this one takes only what is left, at once.
    expect(await fireSchedules(deps, { start, now: time })).toMatchObject({ fired: 1, untilDueMs: 0 });
    expect(await fireSchedules(deps, { start, now: time })).toMatchObject({ fired: 0 });
    goOn.resolve();
    expect(await slow).toMatchObject({ fired: 1 });
    expect((await startedKeys()).toSorted()).toEqual([keyOf(time), keyOf(time, "other")].toSorted());
    await replica.close();
  });

  it("starts nothing twice where many replicas fire many schedules over and over", async () => {
    const names = Array.from({ length: 12 }, (_, n) => `minutely-${n}`);
    const timing = { cron: "* * * * *", timeZone: "UTC", jitterMs: 0 };
    for (const name of names) await put({ name, timing, catchUp: "all" });
    const first = (await stored(names[0])).next_at ?? new Date(0);
    const replicas = Array.from({ length: 4 }, () => openDatabase({ url: database.url, maxConnections: 2 }));
    for (let minute = 0; minute < 5; minute++) {
      const now = after(first, minute);
      const reports = await Promise.all(
        replicas.map((replica) => fireSchedules({ ...deps, db: replica }, { start, now })),
      );
      expect(reports.reduce((sum, { fired }) => sum + fired, 0)).toBe(names.length);
    }
    const keys = await startedKeys();
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toHaveLength(names.length * 5);
    for (const replica of replicas) await replica.close();
  });

  it("leaves a time due when the process dies between the start and the commit", async () => {
    const time = await put();
    const dying: StartRun = async (...args) => {
      await start(...args);
      throw new DroverError("unavailable", "The database does not answer right now.");
    };
    await expect(fireSchedules(deps, { start: dying, now: time })).rejects.toThrow("does not answer");
    expect(await startedKeys()).toEqual([]);
    expect(await fireSchedules(deps, { start, now: time })).toMatchObject({ fired: 1 });
  });

  it("passes over a schedule that is in trouble and fires the others", async () => {
    const time = await put({ name: "a" });
    await put({ name: "b" });
    const troubled: StartRun = async (...args) => {
      if (args[3].idempotencyKey?.startsWith("schedule:a:")) throw new DroverError("unavailable", "Not now.");
      return start(...args);
    };
    await expect(fireSchedules(deps, { start: troubled, now: time })).rejects.toThrow("Not now.");
    expect(await startedKeys()).toEqual([keyOf(time, "b")]);
    expect((await stored("a")).next_at).toEqual(time);
  });

  it("notes why a start was refused, takes back what it wrote, and goes on to the next time", async () => {
    const time = await put();
    await db.run(sql`update drover.schedule set workflow = 'gone'`);
    expect(await fireSchedules(deps, { start, now: time })).toMatchObject({
      fired: 0,
      failures: [{ schedule: "hourly", message: 'There is no workflow "gone".' }],
    });
    expect(await startedKeys()).toEqual([]);
    expect(await stored()).toMatchObject({
      error: 'There is no workflow "gone".',
      next_at: after(time, 60),
      last_at: null,
    });
    expect(await facts()).toMatchObject([
      { kind: "schedule.failed", data: { time: time.toISOString(), message: 'There is no workflow "gone".' } },
    ]);
    await db.run(sql`update drover.schedule set workflow = 'report'`);
    await fireSchedules(deps, { start, now: after(time, 60) });
    expect(await stored()).toMatchObject({ error: null, error_at: null, last_at: after(time, 60) });
  });

  it("keeps what is wrong in the server from its users, and for its log", async () => {
    const time = await put();
    const broken: StartRun = () => Promise.reject(new TypeError("x is undefined"));
    const { failures } = await fireSchedules(deps, { start: broken, now: time });
    expect(failures).toMatchObject([{ cause: expect.any(TypeError) }]);
    expect((await stored()).error).toBe("The server failed to start the run; its log has the cause.");
  });

  it("pauses a schedule whose next time cannot be told", async () => {
    const time = await put();
    await db.run(sql`update drover.schedule set time_zone = 'Mars/Olympus'`);
    expect(await fireSchedules(deps, { start, now: time })).toMatchObject({ fired: 0, untilDueMs: undefined });
    const row = await stored();
    expect(row.paused_at).not.toBeNull();
    expect(row.error).toContain("Mars/Olympus");
  });
});

describe("the runs of workflows", () => {
  const runs = () =>
    db.run(sql`
      select r.idempotency_key, r.input, r.actor, r.labels, exists (select from drover.run_open o where o.run_id = r.id) as open
        from drover.workflow_run r order by r.id`);

  it("starts them with a key of the time, once, and wakes who advances them", async () => {
    const hints: string[] = [];
    const waker = { wake: (hint: string) => void hints.push(hint), take: () => false };
    const time = await put({ input: { at: "${schedule.time}" }, labels: { team: "a" } });
    await fireSchedules({ ...deps, waker }, { start: startRun, now: time });
    expect(hints).toEqual(["advance"]);
    const expected = {
      idempotency_key: keyOf(time),
      input: { at: time.toISOString() },
      actor: "schedule:hourly",
      labels: { team: "a" },
      open: true,
    };
    expect(await runs()).toEqual([expected]);
    // Even one who had forgotten that the time was dealt with finds the run by its key.
    await db.run(
      sql`update drover.schedule set next_at = ${time.toISOString()}::timestamptz, due_at = ${time.toISOString()}::timestamptz`,
    );
    await fireSchedules(deps, { start: startRun, now: time });
    expect(await runs()).toEqual([expected]);
  });

  it("refuses an input that does not fit the workflow, when it is put and when the workflow has changed since", async () => {
    const input = { type: "object", required: ["day"], properties: { day: { type: "string" } } };
    await saveWorkflow("daily", { input });
    await expect(put({ workflow: "daily" })).rejects.toMatchObject({ facts: { fields: [{ field: "input" }] } });
    const time = await put({ workflow: "daily", input: { day: "${schedule.time}" } });
    await saveWorkflow("daily", { input: { ...input, required: ["day", "team"] } });
    expect(await fireSchedules(deps, { start: startRun, now: time })).toMatchObject({
      fired: 0,
      failures: [{ schedule: "hourly", message: expect.stringContaining('does not fit workflow "daily"') }],
    });
    expect((await stored()).next_at).toEqual(after(time, 60));
    expect(await db.run(sql`select from drover.run_key where key = ${keyOf(time)} and workflow_id <> 1`)).toEqual([]);
  });
});

describe("catching up", () => {
  it.each([
    { catchUp: "skip", hours: [] },
    { catchUp: "latest", hours: [3] },
    { catchUp: "all", hours: [0, 1, 2, 3] },
  ] as const)("fires of the times that an outage took: $catchUp", async ({ catchUp, hours }) => {
    const time = await put({ catchUp });
    await fireSchedules(deps, { start, now: after(time, 3 * 60 + 30) });
    expect(await startedKeys()).toEqual(hours.map((hour) => keyOf(after(time, hour * 60))));
    expect((await stored()).next_at).toEqual(after(time, 4 * 60));
    const missed = (await facts()).filter(({ kind }) => kind === "schedule.missed");
    expect(missed).toHaveLength(catchUp === "all" ? 0 : 1);
  });

  it("fires the newest of all missed times up to the limit, over several transactions", async () => {
    const time = await put({ catchUp: "all", catchUpLimit: 25 });
    const { fired } = await fireSchedules(deps, { start, now: after(time, 99 * 60 + 30) });
    expect(fired).toBe(25);
    expect(await startedKeys()).toEqual(Array.from({ length: 25 }, (_, n) => keyOf(after(time, (75 + n) * 60))));
    expect((await facts()).filter(({ kind }) => kind === "schedule.missed")).toMatchObject([
      { data: { from: time.toISOString(), to: after(time, 74 * 60).toISOString() } },
    ]);
  });

  it("starts nothing while it is paused, and catches up after that", async () => {
    const time = await put({ catchUp: "latest" });
    await pauseSchedule(deps, caller, "hourly", true);
    await pauseSchedule(deps, caller, "hourly", true);
    expect(await fireSchedules(deps, { start, now: after(time, 150) })).toMatchObject({
      fired: 0,
      untilDueMs: undefined,
    });
    await pauseSchedule(deps, caller, "hourly", false);
    expect(await fireSchedules(deps, { start, now: after(time, 150) })).toMatchObject({ fired: 1 });
    expect(await startedKeys()).toEqual([keyOf(after(time, 120))]);
    expect(
      await db.run(sql`select kind from drover.event where actor = 'test' and kind <> 'schedule.put' order by id`),
    ).toEqual([{ kind: "schedule.paused" }, { kind: "schedule.resumed" }]);
  });
});

describe("overlap", () => {
  const open = (tx: Executor, runId: string) =>
    tx.run(sql`insert into drover.run_open (run_id, steps_total) values (${runId}::bigint, 1)`);

  it.each([
    { overlap: "allow", fired: 1 },
    { overlap: "skip", fired: 0 },
  ] as const)("decides what becomes of a time while the former run goes on: $overlap", async ({ overlap, fired }) => {
    const time = await put({ overlap });
    await fireSchedules(deps, { start, now: time });
    const runId = (await stored()).last_run_id ?? "";
    await open(db, runId);
    expect(await fireSchedules(deps, { start, now: after(time, 60) })).toMatchObject({ fired });
    expect((await facts()).filter(({ kind }) => kind === "schedule.skipped")).toHaveLength(1 - fired);
    await db.run(sql`delete from drover.run_open`);
    expect(await fireSchedules(deps, { start, now: after(time, 120) })).toMatchObject({ fired: 1 });
  });
});

describe("putSchedule", () => {
  it("keeps what is due where the times stay as they were, and begins anew where not", async () => {
    const time = await put();
    await db.run(
      sql`update drover.schedule set next_at = next_at - interval '2 hours', due_at = due_at - interval '2 hours'`,
    );
    expect(await putSchedule(deps, caller, draft({ input: { a: 1 } }))).toEqual({ created: false });
    expect((await stored()).next_at).toEqual(after(time, -120));
    await putSchedule(deps, caller, draft({ timing: { cron: "0 * * * *", timeZone: "Asia/Kolkata", jitterMs: 0 } }));
    expect((await stored()).next_at?.getTime()).toBeGreaterThan(after(time, -61).getTime());
  });

  it("adds the jitter to what is due, within its bounds and the same each time", async () => {
    const timing = { cron: "0 * * * *", timeZone: "UTC", jitterMs: 10 * minuteMs };
    const time = await put({ timing });
    const { due_at } = await stored();
    const delayMs = (due_at?.getTime() ?? 0) - time.getTime();
    expect(delayMs).toBeGreaterThanOrEqual(0);
    expect(delayMs).toBeLessThanOrEqual(10 * minuteMs);
    await put({ timing });
    expect((await stored()).due_at).toEqual(due_at);
    expect(await fireSchedules(deps, { start, now: new Date((due_at?.getTime() ?? 0) - 1) })).toMatchObject({
      fired: 0,
    });
    expect(await fireSchedules(deps, { start, now: due_at ?? time })).toMatchObject({ fired: 1 });
    expect(await startedKeys()).toEqual([keyOf(time)]);
  });

  it("has no next time after its end", async () => {
    const timing = { cron: "0 * * * *", timeZone: "UTC", jitterMs: 0, endsAt: new Date("2020-01-01") };
    await putSchedule(deps, caller, draft({ timing }));
    expect(await stored()).toMatchObject({ next_at: null, due_at: null });
    expect(await fireSchedules(deps, { start })).toMatchObject({ untilDueMs: undefined });
  });

  it("refuses all that is wrong at once", async () => {
    const timing = { cron: "0 25 * * *", timeZone: "Nowhere", jitterMs: 0 };
    const refused = putSchedule(deps, caller, draft({ timing, workflow: "reprot", input: { a: "${steps.x.output}" } }));
    await expect(refused).rejects.toMatchObject({
      reason: "invalid",
      facts: {
        fields: [{ field: "cron" }, { field: "time_zone" }, { field: "input" }, { field: "workflow" }],
      },
    });
    await expect(putSchedule(deps, caller, draft({ workflowVersion: 3 }))).rejects.toThrow("up to 1, got 3");
  });
});

describe("deleteSchedule", () => {
  it("ends a schedule, and says so where there is none", async () => {
    await put();
    await deleteSchedule(deps, caller, "hourly");
    expect(await findSchedule(db, 1, "hourly")).toBeUndefined();
    await expect(deleteSchedule(deps, caller, "hourly")).rejects.toMatchObject({ reason: "not_found" });
    await expect(pauseSchedule(deps, caller, "hourly", true)).rejects.toMatchObject({ reason: "not_found" });
  });
});
