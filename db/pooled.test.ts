import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "./client.ts";
import { register } from "./node/register.ts";
import { complete } from "./node/settle.ts";
import { claim, renew, sync } from "./node/sync.ts";
import { sweep } from "./query/control.ts";
import { submit, submitNamed } from "./query/submit.ts";
import { getTasks } from "./query/task.ts";
import { hasPooler, startPooler } from "./testing-pooler.ts";
import { openTestQueue, type TestQueue } from "./testing-queue.ts";

describe.skipIf(!hasPooler)("through PgBouncer in transaction mode (skipped where pgbouncer is not installed)", () => {
  let house: TestQueue;
  let pooler: Awaited<ReturnType<typeof startPooler>>;
  let clients: Database[];
  beforeAll(async () => {
    house = await openTestQueue();
    pooler = await startPooler({ url: house.url, poolSize: 3 });
    clients = Array.from({ length: 12 }, () => openDatabase({ url: pooler.url, isPooled: true, maxConnections: 2 }));
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close({ timeoutSeconds: 1 })));
    await pooler.stop();
    await house.close();
  });
  const worker = (db: Database, name: string, taskType: string) =>
    register(db, {
      kind: "worker", name, namespace: "default", executors: ["worker"], taskTypes: [taskType], classes: null, slots: {}, facts: {}, version: "",
    }); // prettier-ignore

  it("submits, claims and completes with many clients at once, each task exactly once", async () => {
    const queueId = await house.queue({ taskType: "pooled" });
    const keys: string[] = [];
    const done: string[] = [];
    await Promise.all(
      clients.map(async (db, n) => {
        if (n % 2 === 0) {
          for (let round = 0; round < 10; round += 1) {
            keys.push(
              ...(await submit(db, house.context, [
                { queueId, payload: `{"n":${n}}` },
                { queueId, labels: '{"a":"b"}' },
              ])),
            );
          }
          return;
        }
        const holder = await worker(db, `pooled-${n}`, "pooled");
        while (done.length < 120) {
          const claims = await claim(db, holder, 5);
          await complete(
            db,
            holder,
            claims.map((one) => ({ taskKey: one.task_id, fence: one.fence, result: JSON.stringify(one.payload) })),
          );
          done.push(...claims.map((one) => one.task_id));
        }
      }),
    );
    expect(done.toSorted()).toEqual(keys.toSorted());
    const rows = await getTasks(house.db, house.context.namespaceId, keys);
    expect(new Set(rows.map((row) => row.state))).toEqual(new Set(["completed"]));
  });

  it("takes names, arrays with nulls, bytes and transactions as a direct connection does", async () => {
    const [db] = clients;
    if (db === undefined) throw new Error("expected a client");
    const queueId = await house.queue({ taskType: "named" });
    const requestHash = Buffer.from([0, 255, 92, 39]);
    const batch = [
      { queueId, name: `p"'\\`, requestHash },
      { queueId, requestHash, retry: '{"maxAttempts":1}', delayMs: 5 },
    ];
    const made = await db.transaction((tx) => submitNamed(tx, house.context, batch));
    expect(made.map((row) => row.verdict)).toEqual(["created", "created"]);
    expect((await submitNamed(db, house.context, batch.slice(0, 1)))[0]).toEqual({
      task_id: made[0]?.task_id,
      verdict: "existing",
    });
    await expect(
      db.transaction(async (tx) => {
        await submit(tx, { ...house.context, actor: "undone" }, [{ queueId }]);
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await house.db.run(sql`select from drover.event where actor = 'undone'`)).toEqual([]);
  });

  it("syncs a node, renews and sweeps", async () => {
    const [db, other] = clients;
    if (db === undefined || other === undefined) throw new Error("expected clients");
    const queueId = await house.queue({ className: "gpu", taskType: "" });
    const [key] = await submit(db, house.context, [{ queueId, execution: '{"image":"x"}' }]);
    const node = await register(db, {
      kind: "node", name: "pooled", namespace: "default", executors: ["docker"], taskTypes: [], classes: null, slots: { gpu: 1 }, facts: {}, version: "",
    }); // prettier-ignore
    expect(await sync(other, node, { gpu: 1 }, false)).toMatchObject({
      status: "ok",
      claims: [{ task_id: key, execution: { image: "x" } }],
    });
    expect(await renew(db, node)).toMatchObject({ status: "ok" });
    expect(await sweep(other)).toMatchObject({ lost: 0, taken: 0 });
  });

  it("goes on after the pooler's server connections were ended", async () => {
    const [db] = clients;
    await house.db.run(sql`
      select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = '' and pid <> pg_backend_pid()`);
    await expect.poll(() => db?.run(sql`select 1 as n`).catch(() => []), { timeout: 5000 }).toEqual([{ n: 1 }]);
  });
});
