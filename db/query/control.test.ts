import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Executor } from "../client.ts";
import { complete, fail } from "../node/settle.ts";
import { claim, renew, sync } from "../node/sync.ts";
import { openTestQueue, type TestHolder, type TestQueue } from "../testing-queue.ts";
import { queueDepths, setControl, sweep } from "./control.ts";
import { eventTotals } from "./event.ts";
import { getTasks } from "./task.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

/** As if the control plane had swept and nobody had been away for long. */
beforeEach(() => house.db.run(sql`update drover.control set swept_at = now(), resumed_at = now() - interval '1 hour'`));

/** A sweep on a server that came up long ago. */
const sweepNow = (db: Executor = house.db) => sweep(db, new Date(0));

const silence = (holder: TestHolder, seconds: number) =>
  house.db.run(sql`
    update drover.holder_lease set expires_at = now() - ${seconds} * interval '1 second' where holder_id = ${holder.holderId}`);

async function state(key: string): Promise<string | undefined> {
  const [row] = await getTasks(house.db, house.context.namespaceId, [key]);
  return row?.state;
}

async function running(taskType: string, parts = {}) {
  const queueId = await house.queue({ taskType });
  const [key = ""] = await house.submit([{ queueId, ...parts }]);
  const worker = await house.worker(taskType, { taskTypes: [taskType] });
  const { fence } = await house.claimOne(worker);
  return { queueId, key, worker, claim: { taskKey: key, fence } };
}

describe("sweep", () => {
  it("takes back the leases of a holder that is silent past its lease and the margin", async () => {
    const { key, worker, claim: held } = await running("silent");
    await silence(worker, 9); // the margin is 10
    await sweepNow();
    expect(await state(key)).toBe("running");
    await silence(worker, 11);
    expect(await sweepNow()).toMatchObject({ lost: 1, taken: 1 });
    expect(await state(key)).toBe("pending");
    expect(await renew(house.db, worker)).toMatchObject({ status: "fenced" });
    expect(await complete(house.db, worker, [held])).toEqual([key]);
    expect(await claim(house.db, worker, 1)).toEqual([]);
    const events = await house.db.run<{ kind: string }>(sql`select kind from drover.event where kind = 'worker.lost'`);
    expect(events).toHaveLength(1);
    expect(await sweepNow()).toMatchObject({ lost: 0, taken: 0 });
  });

  it("leaves a holder alone that renews while the sweep looks", async () => {
    const { key, worker } = await running("just-in-time");
    await silence(worker, 60);
    const session = await house.session();
    await session.begin();
    expect(await renew(session, worker)).toMatchObject({ status: "ok" });
    expect(await sweepNow()).toMatchObject({ lost: 0 });
    await session.commit();
    expect(await state(key)).toBe("running");
  });

  it("is done by one replica at a time", async () => {
    const { key, worker } = await running("contested");
    await silence(worker, 60);
    const session = await house.session();
    await session.begin();
    expect(await sweepNow(session)).toMatchObject({ lost: 1, taken: 1 });
    expect(await sweepNow()).toBeUndefined();
    await session.commit();
    expect(await sweepNow()).toMatchObject({ lost: 0, taken: 0 });
    const attempts = await house.db.run(sql`select from drover.task_attempt where task_id = ${key}`);
    expect(attempts).toHaveLength(1);
  });

  it("takes back a lease once when two sessions see it lost", async () => {
    const { key, claim: held } = await running("seen-twice");
    const takeBack = sql`
      select drover.take_back(array[${held.taskKey}::bigint], array[${held.fence}::bigint], 'lease_expired', 'test') as taken`;
    const [one, two] = await Promise.all([house.session(), house.session()]);
    await one.begin();
    expect(await one.run(takeBack)).toEqual([{ taken: 1 }]);
    const second = two.run(takeBack);
    await two.isBlocked();
    await one.commit();
    expect(await second).toEqual([{ taken: 0 }]);
    expect(await state(key)).toBe("pending");
  });

  it("declares nobody lost, and nothing timed out, until a lease and its margin after an outage", async () => {
    const { key, worker } = await running("outage");
    const late = await running("outage-late");
    await silence(worker, 3600);
    await house.db.run(
      sql`update drover.task_lease set deadline_at = now() - interval '1 hour' where task_id = ${late.key}`,
    );
    await house.db.run(sql`update drover.control set swept_at = now() - interval '1 hour'`);
    expect(await sweepNow()).toMatchObject({ lost: 0, taken: 0 });
    await house.db.run(sql`update drover.control set resumed_at = now() - interval '39 seconds'`);
    expect(await sweepNow()).toMatchObject({ lost: 0, taken: 0 });
    expect([await state(key), await state(late.key)]).toEqual(["running", "running"]);
    // What ran out during the outage may still be reported.
    expect(await complete(house.db, late.worker, [late.claim])).toEqual([]);
    await house.db.run(sql`update drover.control set resumed_at = now() - interval '41 seconds'`);
    expect(await sweepNow()).toMatchObject({ lost: 1, taken: 1 });
    expect(await state(key)).toBe("pending");
  });

  it("gives everyone time to report after the server came up anew", async () => {
    const { key, worker } = await running("rebooted");
    await silence(worker, 3600);
    expect(await sweep(house.db, new Date(Date.now() - 30_000))).toMatchObject({ lost: 0, taken: 0 });
    expect(await state(key)).toBe("running");
    await house.db.run(sql`update drover.control set resumed_at = now() - interval '1 hour'`);
    expect(await sweepNow()).toMatchObject({ lost: 1, taken: 1 });
  });

  it("counts an attempt past its deadline as failed, though its holder lives", async () => {
    const { key, worker } = await running("stuck", { timeoutSeconds: 100, retry: '{"maxAttempts":1}' });
    const [lease] = await house.db.run<{ seconds: number }>(sql`
      select extract(epoch from deadline_at - started_at)::float8 as seconds from drover.task_lease where task_id = ${key}`);
    expect(lease?.seconds).toBe(160);
    await house.db.run(
      sql`update drover.task_lease set deadline_at = now() - interval '11 seconds' where task_id = ${key}`,
    );
    expect(await sweepNow()).toMatchObject({ lost: 0, taken: 1 });
    const [row] = await getTasks(house.db, house.context.namespaceId, [key]);
    expect(row).toMatchObject({ state: "failed", error: { class: "timeout" } });
    expect(await renew(house.db, worker)).toMatchObject({ status: "ok" });
  });

  it("promotes what is due, in order of its time, and leaves the rest", async () => {
    const queueId = await house.queue({ taskType: "due" });
    const keys = await house.submit([1, 2, 3].map(() => ({ queueId, delayMs: 3_600_000 })));
    const [first = "", second = "", third = ""] = keys;
    await house.db.run(
      sql`update drover.task_waiting set until_at = now() - interval '1 second' where task_id = any (array[${first}::bigint, ${second}::bigint])`,
    );
    expect(await sweepNow()).toMatchObject({ promoted: 2 });
    expect([await state(first), await state(second), await state(third)]).toEqual(["pending", "pending", "waiting"]);
  });

  it("counts the holders whose lease has not ended", async () => {
    await house.db.run(sql`update drover.holder_lease set expires_at = now() + interval '1 minute'`);
    const worker = await house.worker("counted");
    const first = await sweepNow();
    await silence(worker, 1);
    expect(await sweepNow()).toMatchObject({ live: (first?.live ?? 0) - 1 });
    const [control] = await house.db.run<{ live_holders: number }>(sql`select live_holders from drover.control`);
    expect(control?.live_holders).toBe((first?.live ?? 0) - 1);
  });

  it("sums up events so that the totals equal a recount, whatever was open in between", async () => {
    const queueId = await house.queue({ taskType: "summed" });
    const session = await house.session();
    await session.begin();
    await session.run(sql`
      insert into drover.event (id, namespace_id, kind, actor, task_ids) values (drover.next_id(), 1, 'task.slow', 'test', '{1,2}')`);
    for (let round = 0; round < 3; round += 1) {
      const [key] = await house.submit([{ queueId }, { queueId }]);
      await house.db.run(sql`select drover.cancel_task(${key}, 'no', 'test')`);
      await sweepNow();
    }
    expect((await eventTotals(house.db)).get("task.slow")).toBeUndefined();
    await session.commit();
    await sweepNow();
    const recount = await house.db.run<{ kind: string; total: string }>(sql`
      select kind, sum(greatest(1, cardinality(task_ids))) as total from drover.event group by kind`);
    await expect
      .poll(async () => {
        await sweepNow();
        return Object.fromEntries(await eventTotals(house.db));
      })
      .toEqual(Object.fromEntries(recount.map((row) => [row.kind, Number(row.total)])));
    expect(recount.find((row) => row.kind === "task.slow")?.total).toBe("2");
  });
});

describe("setControl", () => {
  it("is in force with the next renewal", async () => {
    const node = await house.node("obedient", {});
    await setControl(house.db, { leaseSeconds: 90, leaseMarginSeconds: 10, syncRateLimit: 200 });
    expect(await sync(house.db, node, {}, true)).toMatchObject({ leaseSeconds: 90 });
    await setControl(house.db, { leaseSeconds: 30, leaseMarginSeconds: 10, syncRateLimit: 200 });
  });
});

describe("queueDepths", () => {
  it("counts what is in each place", async () => {
    const before = await queueDepths(house.db);
    const queueId = await house.queue({ className: "gpu", taskType: "deep" });
    await house.submit([{ queueId }, { queueId }, { queueId, delayMs: 100_000 }]);
    const worker = await house.worker("deep", { taskTypes: ["deep"] });
    const { task_id, fence } = await house.claimOne(worker);
    const after = await queueDepths(house.db);
    expect(after).toMatchObject({
      pending: before.pending + 1,
      waiting: before.waiting + 1,
      running: before.running + 1,
    });
    await fail(house.db, worker, [{ taskKey: task_id, fence, class: "released", message: "" }]);
  });
});
