import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setConcurrencyLimit, setPaused } from "../query/class.ts";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import { register } from "./register.ts";
import { complete } from "./settle.ts";
import { claim, sync } from "./sync.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

const some = (queueId: number, count: number, parts = {}) =>
  Array.from({ length: count }, () => ({ queueId, ...parts }));

describe("node.claim", () => {
  it("hands out tasks in the order of their submission", async () => {
    const queueId = await house.queue({ taskType: "ordered" });
    const keys = await house.submit(some(queueId, 50));
    const worker = await house.worker("orderly", { taskTypes: ["ordered"] });
    const first = await claim(house.db, worker, 20);
    const rest = await claim(house.db, worker, 100);
    expect([...first, ...rest].map((item) => item.task_id)).toEqual(keys);
    expect(await claim(house.db, worker, 100)).toEqual([]);
  });

  it("prefers a higher priority, which weighs as much as a minute of waiting", async () => {
    const queueId = await house.queue({ taskType: "aged" });
    const [low, high, higher] = await house.submit([{ queueId }, { queueId, priority: 1 }, { queueId, priority: 3 }]);
    // Two minutes older: it has caught up with priority 1, not with 3.
    await house.db.run(sql`update drover.task_ready set sort_key = sort_key - 120000 where task_id = ${low}`);
    const worker = await house.worker("ageing", { taskTypes: ["aged"] });
    const claimed = [];
    for (let n = 0; n < 3; n += 1) claimed.push((await house.claimOne(worker)).task_id);
    expect(claimed).toEqual([higher, low, high]);
  });

  it("never hands one task to two of eight claimers, and leaves none", async () => {
    const queueId = await house.queue({ taskType: "contended" });
    const keys = await house.submit(some(queueId, 400));
    const workers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => house.worker(`contender-${n}`, { taskTypes: ["contended"] })),
    );
    const claimed = await Promise.all(
      workers.map(async (worker) => {
        const mine: string[] = [];
        for (let misses = 0; misses < 3;) {
          const batch = await claim(house.db, worker, 7);
          if (batch.length === 0) misses += 1;
          mine.push(...batch.map((item) => item.task_id));
        }
        return mine;
      }),
    );
    expect(claimed.flat().toSorted()).toEqual(keys.toSorted());
    const [fences] = await house.db.run<{ n: string }>(sql`
      select count(distinct fence) as n from drover.task_lease where queue_id = ${queueId}`);
    expect(fences?.n).toBe("400");
  });

  it("passes over what another claim is about to take instead of waiting for it", async () => {
    const queueId = await house.queue({ taskType: "passed" });
    const [one, two] = await house.submit(some(queueId, 2));
    const [slow, quick] = await Promise.all([
      house.worker("slow", { taskTypes: ["passed"] }),
      house.worker("quick", { taskTypes: ["passed"] }),
    ]);
    const session = await house.session();
    await session.begin();
    expect((await claim(session, slow, 1)).map((item) => item.task_id)).toEqual([one]);
    expect((await claim(house.db, quick, 2)).map((item) => item.task_id)).toEqual([two]);
    await session.rollback();
    expect((await claim(house.db, quick, 2)).map((item) => item.task_id)).toEqual([one]);
  });

  it("serves several types from one call, the longest waiting first, and no type without a handler", async () => {
    const [left, right, other] = await Promise.all(
      ["left", "right", "other"].map((taskType) => house.queue({ taskType })),
    );
    const keys = await house.submit([
      { queueId: left ?? 0, priority: 2 },
      { queueId: other ?? 0, priority: 1 },
      { queueId: right ?? 0 },
    ]);
    const worker = await house.worker("two-handed", { taskTypes: ["left", "right"] });
    const claimed = await claim(house.db, worker, 10);
    expect(claimed.map((item) => [item.task_id, item.type])).toEqual([
      [keys[0], "left"],
      [keys[2], "right"],
    ]);
  });

  it("takes only from the classes that the worker named", async () => {
    const [here, there] = await Promise.all([
      house.queue({ className: "here", taskType: "placed" }),
      house.queue({ className: "there", taskType: "placed" }),
    ]);
    const [, wanted] = await house.submit([{ queueId: there }, { queueId: here }]);
    const worker = await house.worker("local", { taskTypes: ["placed"], classes: ["here"] });
    expect((await claim(house.db, worker, 10)).map((item) => [item.task_id, item.class])).toEqual([[wanted, "here"]]);
  });

  it("starts nothing of a paused class and goes on after it is resumed", async () => {
    const queueId = await house.queue({ className: "pausable", taskType: "paused" });
    const keys = await house.submit(some(queueId, 2));
    const worker = await house.worker("patient", { taskTypes: ["paused"] });
    expect(await setPaused(house.db, house.context.namespaceId, "pausable", true)).toBe(true);
    expect(await claim(house.db, worker, 5)).toEqual([]);
    await setPaused(house.db, house.context.namespaceId, "pausable", false);
    expect((await claim(house.db, worker, 5)).map((item) => item.task_id)).toEqual(keys);
  });

  it("gives nothing to an older life, and leaves it nothing that the newer one does not know", async () => {
    const queueId = await house.queue({ taskType: "twice-born" });
    await house.submit(some(queueId, 3));
    const first = await house.worker("phoenix", { taskTypes: ["twice-born"] });
    const session = await house.session();
    await session.begin();
    expect(await claim(session, first, 1)).toHaveLength(1);
    // The newer life begins while the claim of the older one is still under way.
    const other = await house.session();
    const second = register(other, {
      kind: "worker",
      name: "phoenix",
      namespace: "default",
      executors: ["worker"],
      taskTypes: ["twice-born"],
      classes: null,
      slots: {},
      facts: {},
      version: "test",
    });
    await other.isBlocked();
    await session.commit();
    const { holderId } = await second;
    const [held] = await house.db.run<{ n: string }>(
      sql`select count(*) as n from drover.task_lease where holder_id = ${holderId}`,
    );
    expect(held?.n).toBe("0");
    expect(await claim(house.db, first, 5)).toEqual([]);
    expect(await claim(house.db, await second, 5)).toHaveLength(3);
  });
});

describe("a concurrency limit", () => {
  it("is never exceeded by eight claimers while it changes, and its slots come back with completions", async () => {
    const queueId = await house.queue({ className: "narrow", taskType: "limited" });
    await setConcurrencyLimit(house.db, house.context.namespaceId, "narrow", 3);
    const total = 150;
    await house.submit(some(queueId, total));
    const workers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => house.worker(`narrow-${n}`, { taskTypes: ["limited"] })),
    );
    let done = 0;
    let most = 0;
    const drain = async (worker: (typeof workers)[number]) => {
      while (done < total) {
        const claimed = await house.db.transaction(async (tx) => {
          const batch = await claim(tx, worker, 4);
          // Counted inside the claim: whoever else claims cannot have committed in between.
          const [row] = await tx.run<{ running: number }>(sql`
            select count(*)::integer as running from drover.task_lease where queue_id = ${queueId}`);
          most = Math.max(most, row?.running ?? 0);
          return batch;
        });
        const batch = claimed.map((item) => ({ taskKey: item.task_id, fence: item.fence }));
        await complete(house.db, worker, batch);
        done += claimed.length;
      }
    };
    const change = async () => {
      for (const limit of [5, 2, 4, 1, 5, 3, 5, 2, 4]) {
        await setConcurrencyLimit(house.db, house.context.namespaceId, "narrow", limit);
      }
    };
    await Promise.all([...workers.map(drain), change()]);
    expect(done).toBe(total);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(5);
  });

  it("counts what another claim has taken but not yet committed", async () => {
    const queueId = await house.queue({ className: "single", taskType: "single" });
    await setConcurrencyLimit(house.db, house.context.namespaceId, "single", 1);
    await house.submit(some(queueId, 3));
    const [one, two] = await Promise.all([
      house.worker("single-1", { taskTypes: ["single"] }),
      house.worker("single-2", { taskTypes: ["single"] }),
    ]);
    const session = await house.session();
    await session.begin();
    const [held] = await claim(session, one, 3);
    expect(await claim(house.db, two, 3)).toEqual([]);
    await session.commit();
    expect(await claim(house.db, two, 3)).toEqual([]);
    expect(await complete(house.db, one, [{ taskKey: held?.task_id ?? "", fence: held?.fence ?? "" }])).toEqual([]);
    expect(await claim(house.db, two, 3)).toHaveLength(1);
  });

  it("does not deadlock with completions of what it makes into slots", async () => {
    const queueId = await house.queue({ className: "crossing", taskType: "crossing" });
    await house.submit(some(queueId, 2));
    const worker = await house.worker("crossing", { taskTypes: ["crossing"] });
    const claims = await claim(house.db, worker, 2);
    // Where the rows lie is the opposite of the order of their keys.
    await house.db.run(
      sql`update drover.task_lease set deadline_at = deadline_at + interval '1 s' where task_id = ${claims[0]?.task_id}`,
    );
    const [finisher, setter] = await Promise.all([house.session(), house.session()]);
    const batch = (n: number) => [{ taskKey: claims[n]?.task_id ?? "", fence: claims[n]?.fence ?? "" }];
    await finisher.begin();
    await complete(finisher, worker, batch(0));
    const setting = setConcurrencyLimit(setter, house.context.namespaceId, "crossing", 1);
    await setter.isBlocked();
    expect(await complete(finisher, worker, batch(1))).toEqual([]);
    await finisher.commit();
    expect(await setting).toBe(true);
  });

  it("set during a claim waits for it and counts its leases", async () => {
    const queueId = await house.queue({ className: "late", taskType: "late" });
    await house.submit(some(queueId, 5));
    const worker = await house.worker("early", { taskTypes: ["late"] });
    const [session, setter] = await Promise.all([house.session(), house.session()]);
    await session.begin();
    expect(await claim(session, worker, 2)).toHaveLength(2);
    const setting = setConcurrencyLimit(setter, house.context.namespaceId, "late", 3);
    await setter.isBlocked();
    // A limit is on its way: nobody may start anything until it is in force.
    expect(await claim(house.db, worker, 5)).toEqual([]);
    await session.commit();
    expect(await setting).toBe(true);
    expect(await claim(house.db, worker, 5)).toHaveLength(1);
    await setConcurrencyLimit(house.db, house.context.namespaceId, "late", null);
    expect(await claim(house.db, worker, 5)).toHaveLength(2);
  });
});

describe("node.sync", () => {
  it("fills the free slots of each class and says when to come back", async () => {
    const [gpu, cpu] = await Promise.all([
      house.queue({ className: "gpu", taskType: "" }),
      house.queue({ className: "cpu_long", taskType: "" }),
    ]);
    await house.submit([...some(gpu, 3), ...some(cpu, 3)]);
    const node = await house.node("box", { gpu: 2, cpu_long: 5 });
    const answer = await sync(house.db, node, { gpu: 2, cpu_long: 5 }, false);
    if (answer.status !== "ok") throw new Error("expected a live lease");
    expect(answer.claims.map((item) => item.class).toSorted()).toEqual([
      "cpu_long",
      "cpu_long",
      "cpu_long",
      "gpu",
      "gpu",
    ]);
    expect(answer.nextSyncMs).toBeLessThan(1000);
    const full = await sync(house.db, node, {}, false);
    expect(full).toMatchObject({ status: "ok", claims: [], nextSyncMs: 1000 });
  });

  it("keeps a fleet under its cap by longer intervals, and never past a third of the lease", async () => {
    const node = await house.node("one-of-many", {});
    await house.db.run(sql`update drover.control set live_holders = 1500`);
    expect(await sync(house.db, node, {}, true)).toMatchObject({ nextSyncMs: 7500 });
    await house.db.run(sql`update drover.control set live_holders = 100000`);
    expect(await sync(house.db, node, {}, true)).toMatchObject({ nextSyncMs: 10_000 });
    await house.db.run(sql`update drover.control set live_holders = 0`);
  });

  it("tells an older life that it is superseded, and gives it nothing", async () => {
    const first = await house.node("reborn", { gpu: 1 });
    await house.node("reborn", { gpu: 1 });
    expect(await sync(house.db, first, { gpu: 1 }, false)).toEqual({ status: "superseded" });
  });
});
