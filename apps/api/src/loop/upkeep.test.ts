import { silentWaker } from "@drover/db/wake";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { type Database, openDatabase } from "@drover/db/client";
import { register } from "@drover/db/node/register";
import { claim } from "@drover/db/node/sync";
import { setControl } from "@drover/db/query/control";
import { createDirectory } from "@drover/db/query/directory";
import { getTasks } from "@drover/db/query/task";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { createSubmitter } from "@drover/worker/submit";
import { parseTaskKey } from "@drover/domain/task-id";
import { createLoops } from "./upkeep.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 3 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

describe("createLoops", () => {
  it("hands on what a silent holder held, also where leases are shorter than the usual time between two sweeps", async () => {
    const lease = { leaseSeconds: 1, leaseMarginSeconds: 0 };
    await setControl(db, { ...lease, syncRateLimit: 200 });
    const silent = {
      kind: "worker" as const,
      name: "silent",
      namespace: "default",
      executors: ["worker"],
      version: "",
    };
    const life = await register(db, { ...silent, taskTypes: ["held"], classes: null, slots: {}, facts: {} });
    const id = await createSubmitter({ db }).submit({ type: "held" });
    expect(await claim(db, life, 1)).toHaveLength(1);

    const deps = { db, directory: createDirectory({ db }), waker: silentWaker };
    const log = createLog({ app: "test", level: "silent" });
    const loops = createLoops({ deps, log, retentionDays: 30, ...lease, onSweep: () => {} });
    for (const loop of loops) await loop.start();
    const stateOf = async () => (await getTasks(db, 1, [String(parseTaskKey(id))]))[0]?.state;
    await expect.poll(stateOf, { timeout: 15_000 }).toBe("pending");
    for (const loop of loops) await loop.stop(AbortSignal.timeout(1000));
  });
});
