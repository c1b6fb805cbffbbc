import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listNodes } from "../query/node.ts";
import { hasWorkerFor } from "../query/queue.ts";
import { getTasks } from "../query/task.ts";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import { describe as describeHolder, drain, held, leave, register, type Registration } from "./register.ts";
import { appendLog, complete } from "./settle.ts";
import { claim, renew, sync } from "./sync.ts";

let house: TestQueue;
let queueId: number;
beforeAll(async () => {
  house = await openTestQueue();
  queueId = await house.queue({ className: "gpu", taskType: "" });
});
afterAll(() => house.close());

const node = (name: string): Registration => ({
  kind: "node",
  name,
  namespace: "default",
  executors: ["docker"],
  taskTypes: [],
  classes: null,
  slots: { gpu: 2 },
  facts: { arch: "x64" },
  version: "1",
});
const state = async (key: string) => (await getTasks(house.db, house.context.namespaceId, [key]))[0]?.state;

async function runningOn(name: string) {
  const [key = ""] = await house.submit([{ queueId, execution: '{"image":"x"}' }]);
  const life = await register(house.db, node(name));
  const answer = await sync(house.db, life, { gpu: 1 }, false);
  if (answer.status !== "ok") throw new Error("expected a live lease");
  const fence = answer.claims[0]?.fence ?? "";
  return { key, life, claim: { taskKey: key, fence } };
}

describe("register", () => {
  it("gives a node that starts anew what its former life holds, and how far its log is stored", async () => {
    const { key, life, claim: former } = await runningOn("restarted");
    await appendLog(house.db, life, former, 3, [["stdout", 5, "a"], ["stderr", 7, "b"]]); // prettier-ignore
    const next = await register(house.db, node("restarted"));
    expect(BigInt(next.epoch)).toBeGreaterThan(BigInt(life.epoch));
    expect(next.held).toMatchObject([
      { task_id: key, fence: former.fence, attempt: 1, class: "gpu", executor: "docker", execution: { image: "x" }, log_chunk: 3, log_until_ms: 7 },
    ]); // prettier-ignore
    expect(await held(house.db, next.holderId)).toEqual([former]);
    expect(await complete(house.db, life, [former])).toEqual([key]);
    expect(await complete(house.db, next, [former])).toEqual([]);
  });

  it("takes back at once what a worker's former life held", async () => {
    const workQueue = await house.queue({ taskType: "reborn" });
    const [key = ""] = await house.submit([{ queueId: workQueue }]);
    const first = await house.worker("reborn", { taskTypes: ["reborn"] });
    const { fence } = await house.claimOne(first);
    const second = await house.worker("reborn", { taskTypes: ["reborn"] });
    expect(await state(key)).toBe("pending");
    expect(await renew(house.db, first)).toEqual({ status: "superseded" });
    expect(await complete(house.db, first, [{ taskKey: key, fence }])).toEqual([key]);
    expect(await house.claimOne(second)).toMatchObject({ task_id: key, attempt: 2 });
  });

  it("names a namespace that does not exist", async () => {
    await expect(register(house.db, { ...node("lost"), namespace: "no'where" })).rejects.toThrow(
      "namespace no'where does not exist",
    );
  });
});

describe("leave", () => {
  it("hands back what is held without counting an attempt, once", async () => {
    const { key, life } = await runningOn("leaving");
    expect(await leave(house.db, life.holderId, life.epoch)).toBe(true);
    expect(await leave(house.db, life.holderId, life.epoch)).toBe(false);
    expect(await state(key)).toBe("pending");
    expect(await sync(house.db, life, { gpu: 1 }, false)).toEqual({ status: "fenced" });
    const [row] = await listNodes(house.db, "leaving");
    expect(row).toMatchObject({ state: "lost", running: "0" });
    const other = await register(house.db, node("taking-over"));
    const answer = await sync(house.db, other, { gpu: 1 }, false);
    expect(answer).toMatchObject({ status: "ok", claims: [{ task_id: key, attempt: 1 }] });
  });

  it("of an older life leaves the newer one alone", async () => {
    const { key, life } = await runningOn("overtaken");
    const next = await register(house.db, node("overtaken"));
    expect(await leave(house.db, life.holderId, life.epoch)).toBe(false);
    expect(await state(key)).toBe("running");
    expect(await renew(house.db, next)).toMatchObject({ status: "ok" });
  });
});

describe("drain and describe", () => {
  it("let what runs go on, and claim nothing further", async () => {
    const { key, life, claim: former } = await runningOn("draining");
    await drain(house.db, life.holderId, life.epoch);
    await house.submit([{ queueId }]);
    expect(await sync(house.db, life, { gpu: 2 }, false)).toMatchObject({ status: "ok", claims: [] });
    expect(await listNodes(house.db, "draining")).toMatchObject([{ state: "draining", running: "1" }]);
    expect(await complete(house.db, life, [former])).toEqual([]);
    expect(await state(key)).toBe("completed");
    await house.db.run(sql`delete from drover.task_ready`);
  });

  it("take an executor away that is gone, for the current life only", async () => {
    const life = await register(house.db, node("engineless"));
    await house.submit([{ queueId }]);
    const facts = { executors: [], slots: { gpu: 2 }, facts: {} };
    expect(await describeHolder(house.db, { holderId: life.holderId, epoch: "0" }, facts)).toBe(false);
    expect(await describeHolder(house.db, life, facts)).toBe(true);
    expect(await sync(house.db, life, { gpu: 2 }, false)).toMatchObject({ claims: [] });
  });
});

describe("hasWorkerFor", () => {
  it("knows the types of live workers, and those who take any", async () => {
    const { namespaceId } = house.context;
    expect(await hasWorkerFor(house.db, namespaceId, "rare")).toBe(false);
    const worker = await house.worker("rare", { taskTypes: ["rare"] });
    expect(await hasWorkerFor(house.db, namespaceId, "rare")).toBe(true);
    expect(await hasWorkerFor(house.db, namespaceId, "other")).toBe(false);
    expect(await claim(house.db, worker, 1)).toEqual([]);
    await leave(house.db, worker.holderId, worker.epoch);
    expect(await hasWorkerFor(house.db, namespaceId, "rare")).toBe(false);
  });
});
