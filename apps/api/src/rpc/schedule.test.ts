import { createClient } from "@connectrpc/connect";
import { saveVersion } from "@drover/db/query/workflow";
import type { Definition } from "@drover/domain/workflow/definition";
import { CatchUp, Overlap, ScheduleService, ScheduleState } from "@drover/proto/drover/schedule";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  const definition: Definition = { name: "report", steps: [{ id: "only", work: { kind: "task", type: "only" } }] };
  const version = { namespaceId: 1, name: "report", format: "drover", source: "", definition, actor: "test" } as const;
  await api.db.transaction((tx) => saveVersion(tx, version));
});
afterAll(() => api.close());

const client = () => createClient(ScheduleService, api.transport);
const spec = { workflow: "report", cron: "0 6 * * *", timeZone: "Europe/Berlin" };

describe("ScheduleService", () => {
  it("answers a put with the schedule, its defaults and its next five times", async () => {
    const { schedule, created } = await client().putSchedule({
      schedule: { ...spec, name: "nightly", input: { a: 1 } },
    });
    expect(created).toBe(true);
    expect(schedule).toMatchObject({
      spec: { name: "nightly", input: { a: 1 }, catchUp: CatchUp.LATEST, catchUpLimit: 100, overlap: Overlap.ALLOW },
      state: ScheduleState.ACTIVE,
      error: "",
      lastRunId: "",
    });
    expect(schedule?.nextTimes).toHaveLength(5);
    const hours = schedule?.nextTimes.map(({ seconds }) =>
      new Date(Number(seconds) * 1000).toLocaleTimeString("en-GB", { timeZone: "Europe/Berlin" }),
    );
    expect(new Set(hours)).toEqual(new Set(["06:00:00"]));
    expect((await client().putSchedule({ schedule: { ...spec, name: "nightly" } })).created).toBe(false);
  });

  it("says what is wrong with a cron expression, and all other faults with it", async () => {
    const schedule = { ...spec, name: "wrong", cron: "0 25 * * *", timeZone: "Nowhere", workflow: "reprot" };
    await expect(client().putSchedule({ schedule })).rejects.toThrow(
      /cron: expected the hour as 0 to 23 .*, got "25"; time_zone: expected the name of a time zone .*; workflow: expected a workflow that exists, got "reprot"/,
    );
    const workflows = createClient(WorkflowService, api.transport);
    await workflows.applyWorkflow({
      source: "{drover: workflow/v1, name: strict, input: {a: text}, steps: {x: {value: 1}}}",
    });
    await expect(client().putSchedule({ schedule: { ...spec, name: "empty", workflow: "strict" } })).rejects.toThrow(
      /input: .*required property "a"\.$/,
    );
    await expect(client().putSchedule({ schedule: { ...spec, name: "Bad Name" } })).rejects.toThrow("schedule.name");
    await expect(client().putSchedule({})).rejects.toThrow("schedule must be set");
  });

  it("wakes whoever fires schedules when one is put or resumed", async () => {
    const hints: string[] = [];
    const stop = api.wakeups.subscribe((hint) => void hints.push(hint));
    await client().putSchedule({ schedule: { ...spec, name: "woken" } });
    await expect.poll(() => hints).toContain("schedule");
    await client().pauseSchedule({ name: "woken" });
    hints.length = 0;
    await client().resumeSchedule({ name: "woken" });
    await expect.poll(() => hints).toContain("schedule");
    stop();
  });

  it("pauses, resumes and deletes; and knows what is not there", async () => {
    await client().putSchedule({ schedule: { ...spec, name: "steered" } });
    expect((await client().pauseSchedule({ name: "steered" })).schedule).toMatchObject({ state: ScheduleState.PAUSED });
    expect((await client().putSchedule({ schedule: { ...spec, name: "steered" } })).schedule).toMatchObject({
      state: ScheduleState.PAUSED,
    });
    expect((await client().resumeSchedule({ name: "steered" })).schedule).toMatchObject({
      state: ScheduleState.ACTIVE,
    });
    await client().deleteSchedule({ name: "steered" });
    for (const call of [client().getSchedule, client().pauseSchedule, client().resumeSchedule, client().deleteSchedule])
      await expect(call({ name: "steered" })).rejects.toThrow('There is no schedule "steered".');
  });

  it("lists by name, in pages", async () => {
    for (const name of ["list-c", "list-a", "list-b"]) await client().putSchedule({ schedule: { ...spec, name } });
    const names: string[] = [];
    let pageToken = "";
    do {
      const page = await client().listSchedules({ pageSize: 2, pageToken });
      expect(page.schedules.length).toBeLessThanOrEqual(2);
      names.push(...page.schedules.map((schedule) => schedule.spec?.name ?? ""));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(names.filter((name) => name.startsWith("list-"))).toEqual(["list-a", "list-b", "list-c"]);
    expect(new Set(names).size).toBe(names.length);
  });

  it("shows one that is past its end as ended", async () => {
    const endsAt = { seconds: 1_500_000_000n };
    const { schedule } = await client().putSchedule({ schedule: { ...spec, name: "over", endsAt } });
    expect(schedule).toMatchObject({ state: ScheduleState.ENDED, nextTimes: [] });
  });
});
