import { createClient } from "@connectrpc/connect";
import { createLog } from "@drover/daemon/log";
import { saveVersion } from "@drover/db/query/workflow";
import type { Definition } from "@drover/domain/workflow/definition";
import { ScheduleService } from "@drover/proto/drover/schedule";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { StartRun } from "../operation/fire-schedules.ts";
import { createScheduleLoop } from "./schedule.ts";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  const definition: Definition = { name: "report", steps: [{ id: "only", work: { kind: "task", type: "only" } }] };
  const version = { namespaceId: 1, name: "report", format: "drover", source: "", definition, actor: "test" } as const;
  await api.db.transaction((tx) => saveVersion(tx, version));
});
afterAll(() => api.close());

it("fires a schedule that was put through another replica, on time, and asks little while nothing is due", async () => {
  let statements = 0;
  const counting = {
    ...api.deps,
    db: {
      ...api.db,
      run: <Row>(...args: Parameters<typeof api.db.run>) => ((statements += 1), api.db.run<Row>(...args)),
    },
  };
  const fired: { key: string; lateMs: number }[] = [];
  const start: StartRun = async (_deps, _tx, _caller, { idempotencyKey = "" }) => {
    const timeMs = Date.parse(idempotencyKey.slice("schedule:often:".length));
    fired.push({ key: idempotencyKey, lateMs: Date.now() - timeMs });
    return { runId: String(fired.length), created: true };
  };
  const log = createLog({ app: "test", level: "silent" });
  // Without the hint it would not look again for an hour.
  const loop = createScheduleLoop({ deps: counting, log, start, wakeups: api.wakeups, idleMs: 3_600_000 });
  await loop.start();
  await expect.poll(() => statements).toBe(1);

  const client = createClient(ScheduleService, api.transport);
  await client.putSchedule({ schedule: { name: "often", workflow: "report", cron: "* * * * * *" } });
  await expect.poll(() => fired.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
  await client.deleteSchedule({ name: "often" });
  await loop.stop(AbortSignal.timeout(2000));

  expect(new Set(fired.map(({ key }) => key)).size).toBe(fired.length);
  for (const { lateMs } of fired) expect(lateMs).toBeLessThan(5000);
});
