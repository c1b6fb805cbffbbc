import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { complete, fail } from "../node/settle.ts";
import { claim, sync } from "../node/sync.ts";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import { promote } from "./control.ts";
import { cancelTask, getTasks, listAttempts, listTasks, pendingFacts, redriveTask } from "./task.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

async function one(taskType: string, parts = {}) {
  const queueId = await house.queue({ taskType });
  const [key = ""] = await house.submit([{ queueId, ...parts }]);
  const worker = await house.worker(taskType, { taskTypes: [taskType] });
  return { queueId, key, worker };
}
const state = async (key: string) => (await getTasks(house.db, house.context.namespaceId, [key]))[0]?.state;
const cancel = (key: string, db = house.db) => cancelTask(db, key, "no longer wanted", "test");

describe("cancelTask", () => {
  it("ends a pending and a waiting task at once", async () => {
    const pending = await one("pending");
    const waiting = await one("waiting", { delayMs: 60_000 });
    expect(await cancel(pending.key)).toEqual({ state: "cancelled", holderId: null });
    expect(await cancel(waiting.key)).toEqual({ state: "cancelled", holderId: null });
    expect(await claim(house.db, pending.worker, 5)).toEqual([]);
    const [row] = await getTasks(house.db, house.context.namespaceId, [pending.key]);
    expect(row).toMatchObject({ state: "cancelled", error: { class: "cancelled", message: "no longer wanted" } });
  });

  it("asks the holder of a running task, who confirms", async () => {
    const queueId = await house.queue({ className: "gpu", taskType: "" });
    const [key = ""] = await house.submit([{ queueId }]);
    const node = await house.node("asked", { gpu: 1 });
    const answer = await sync(house.db, node, { gpu: 1 }, false);
    if (answer.status !== "ok") throw new Error("expected a live lease");
    const fence = answer.claims[0]?.fence ?? "";
    expect(await cancel(key)).toEqual({ state: "running", holderId: node.holderId });
    expect(await sync(house.db, node, {}, false)).toMatchObject({
      cancels: [{ task_id: key, fence, reason: "no longer wanted" }],
    });
    await fail(house.db, node, [{ taskKey: key, fence, class: "cancelled", message: "stopped" }]);
    expect(await state(key)).toBe("cancelled");
    expect(await sync(house.db, node, {}, false)).toMatchObject({ cancels: [] });
  });

  it("says what a task is that has ended, and nothing of one that never was", async () => {
    const { key, worker } = await one("ended");
    const { fence } = await house.claimOne(worker);
    await complete(house.db, worker, [{ taskKey: key, fence }]);
    expect(await cancel(key)).toEqual({ state: "completed", holderId: null });
    expect(await cancel("1")).toBeUndefined();
  });

  it("reaches a task that is claimed at the same moment", async () => {
    const { key, worker } = await one("racing");
    const [claimer, canceller] = await Promise.all([house.session(), house.session()]);
    await claimer.begin();
    expect(await claim(claimer, worker, 1)).toHaveLength(1);
    const cancelling = cancelTask(canceller, key, "late", "test");
    await canceller.isBlocked();
    await claimer.commit();
    expect(await cancelling).toEqual({ state: "running", holderId: worker.holderId });
  });

  it("keeps a task from being claimed while it is being cancelled", async () => {
    const { key, worker } = await one("going");
    const session = await house.session();
    await session.begin();
    expect(await cancelTask(session, key, "now", "test")).toMatchObject({ state: "cancelled" });
    expect(await claim(house.db, worker, 1)).toEqual([]);
    await session.commit();
    expect(await state(key)).toBe("cancelled");
  });

  it("finds a task that is promoted at the same moment", async () => {
    const { key } = await one("promoted", { delayMs: 60_000 });
    await house.db.run(sql`update drover.task_waiting set until_at = now() where task_id = ${key}`);
    const [mover, canceller] = await Promise.all([house.session(), house.session()]);
    await mover.begin();
    expect(await promote(mover, 10)).toBe(1);
    const cancelling = cancelTask(canceller, key, "moved", "test");
    await canceller.isBlocked();
    await mover.commit();
    expect(await cancelling).toMatchObject({ state: "cancelled" });
    expect(await state(key)).toBe("cancelled");
  });

  it("loses to a completion that is under way", async () => {
    const { key, worker } = await one("finishing");
    const { fence } = await house.claimOne(worker);
    const [finisher, canceller] = await Promise.all([house.session(), house.session()]);
    await finisher.begin();
    expect(await complete(finisher, worker, [{ taskKey: key, fence }])).toEqual([]);
    const cancelling = cancelTask(canceller, key, "late", "test");
    await canceller.isBlocked();
    await finisher.commit();
    expect(await cancelling).toMatchObject({ state: "completed" });
  });
});

describe("redriveTask", () => {
  it("puts a dead letter back with a new count of failures, and keeps the attempts", async () => {
    const { key, worker } = await one("dead", { retry: '{"maxAttempts":2,"baseDelayMs":0}' });
    for (let n = 0; n < 2; n += 1) {
      const { fence } = await house.claimOne(worker);
      await fail(house.db, worker, [{ taskKey: key, fence, class: "error", message: "x" }]);
    }
    expect(await state(key)).toBe("failed");
    expect(await redriveTask(house.db, key, "test")).toBe("pending");
    const third = await house.claimOne(worker);
    expect(third).toMatchObject({ task_id: key, attempt: 3 });
    await fail(house.db, worker, [{ taskKey: key, fence: third.fence, class: "error", message: "x" }]);
    expect(await state(key)).toBe("waiting");
    expect((await listAttempts(house.db, key)).map((row) => row.attempt)).toEqual([1, 3]);
  });

  it("leaves alone what has not failed, and says what it is", async () => {
    const { key, worker } = await one("healthy");
    expect(await redriveTask(house.db, key, "test")).toBe("pending");
    const { fence } = await house.claimOne(worker);
    expect(await redriveTask(house.db, key, "test")).toBe("running");
    await complete(house.db, worker, [{ taskKey: key, fence }]);
    expect(await redriveTask(house.db, key, "test")).toBe("completed");
    expect(await redriveTask(house.db, "1", "test")).toBeUndefined();
  });

  it("puts a task back once when two ask at the same moment", async () => {
    const { key } = await one("wanted-twice");
    await cancel(key);
    const [first, second] = await Promise.all([house.session(), house.session()]);
    await first.begin();
    expect(await redriveTask(first, key, "test")).toBe("pending");
    const again = redriveTask(second, key, "test");
    await second.isBlocked();
    await first.commit();
    expect(await again).toBe("pending");
    const rows = await house.db.run(sql`select from drover.task_ready where task_id = ${key}`);
    expect(rows).toHaveLength(1);
  });
});

describe("listTasks", () => {
  it("filters by state, class, label and time, and pages from new to old", async () => {
    const queueId = await house.queue({ className: "listed", taskType: "listed" });
    const keys: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      keys.push(...(await house.submit([{ queueId, labels: JSON.stringify({ n: String(n), "it's": "q" }) }])));
    }
    await cancel(keys[1] ?? "");
    const list = async (filter: Partial<Parameters<typeof listTasks>[2]>, limit = 10) =>
      (await listTasks(house.db, house.context.namespaceId, { states: [], class: "listed", ...filter }, limit)).map(
        (row) => keys.indexOf(row.key),
      );
    expect(await list({})).toEqual([4, 3, 2, 1, 0]);
    expect(await list({}, 2)).toEqual([4, 3]);
    expect(await list({ beforeKey: keys[3] }, 2)).toEqual([2, 1]);
    expect(await list({ states: ["cancelled"] })).toEqual([1]);
    expect(await list({ states: ["cancelled", "pending"] })).toEqual([4, 3, 2, 1, 0]);
    expect(await list({ states: ["running", "waiting", "completed", "failed"] })).toEqual([]);
    expect(await list({ labels: { n: "2", "it's": "q" } })).toEqual([2]);
    expect(await list({ class: "elsewhere" })).toEqual([]);
    expect(await list({ createdAfter: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(await list({ createdBefore: new Date(Date.now() - 600_000) })).toEqual([]);
    expect(await listTasks(house.db, house.context.namespaceId + 1, { states: [] }, 10)).toEqual([]);
  });
});

describe("pendingFacts", () => {
  it("tells how many are ahead and who could run it", async () => {
    const queueId = await house.queue({ className: "asked", taskType: "asked" });
    const keys = await house.submit([{ queueId }, { queueId }, { queueId, priority: 5 }]);
    const facts = () => pendingFacts(house.db, keys[1] ?? "");
    expect(await facts()).toMatchObject({
      paused: false,
      concurrency_limit: null,
      running: "0",
      live_holders: "0",
      ahead: "2",
    });
    await house.worker("asked", { taskTypes: ["asked"], classes: ["asked"] });
    await house.worker("asked-elsewhere", { taskTypes: ["asked"], classes: ["gpu"] });
    expect(await facts()).toMatchObject({ live_holders: "1" });
    expect(await pendingFacts(house.db, "1")).toBeUndefined();
  });
});
