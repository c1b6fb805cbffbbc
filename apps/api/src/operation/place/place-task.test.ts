import { complete, fail } from "@drover/db/node/settle";
import { sync } from "@drover/db/node/sync";
import { cancelTask } from "@drover/db/query/task";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openTestFleet, testGpu, type TestFleet } from "./testing.ts";
import { inventory } from "@drover/db/node/inventory";

let house: TestFleet;
beforeAll(async () => {
  house = await openTestFleet();
});
beforeEach(() => house.clear());
afterAll(() => house.close());

const gpus = (gpuCount: number) => ({ resources: { gpuCount } });

describe("createPlace, of tasks", () => {
  it("places a task on a node with its GPU, which that node claims and no other", async () => {
    const [a, b] = [await house.node("a", 0), await house.node("b", 1)];
    const key = await house.task();
    expect(await house.claim(b)).toEqual([]);
    expect(await house.place()).toMatchObject({ tasks: 1, left: 0 });
    expect(await house.claim(a)).toEqual([]);
    const claims = await house.claim(b);
    expect(claims).toEqual([{ task_id: key, fence: expect.any(String), gpus: ["GPU-b-0"] }]);
  });

  it("gives a GPU to the next task once the first one has ended, completed or failed", async () => {
    const node = await house.node("a", 1);
    const keys = [await house.task(), await house.task(), await house.task()];
    for (const [index, key] of keys.entries()) {
      expect(await house.place()).toMatchObject({ tasks: 1, left: 2 - index });
      const [claim] = await house.claim(node);
      expect(claim).toMatchObject({ task_id: key, gpus: ["GPU-a-0"] });
      expect(await house.place()).toMatchObject({ tasks: 0 });
      const item = { taskKey: key, fence: claim?.fence ?? "" };
      if (index === 1) await fail(house.queue.db, node, [{ ...item, class: "provider_refused", message: "no" }]);
      else await complete(house.queue.db, node, [{ ...item, result: "1" }]);
    }
    expect(await house.queue.count("task_placement")).toBe(0);
    expect(await house.queue.count("gpu_allocation")).toBe(0);
  });

  it("places in order of priority and age over all queues, and none of paused classes", async () => {
    await house.node("a", 2, { slots: { gpu: 4, gpu_slurm: 4 } });
    await house.run(sql`update drover.class set paused_at = now() where name = 'cpu_short'`);
    const paused = await house.task(gpus(1), { className: "cpu_short" });
    const late = await house.task(gpus(1));
    const urgent = await house.task(gpus(1), { priority: 5, className: "gpu_slurm" });
    const next = await house.task(gpus(1), { priority: 1 });
    await house.place();
    expect([...(await house.placements()).keys()].toSorted()).toEqual([urgent, next].toSorted());
    expect(paused < late).toBe(true);
  });

  it("keeps to the slots that are free, counting what runs and what is placed", async () => {
    const node = await house.node("a", 8, { slots: { gpu: 2 } });
    for (let n = 0; n < 4; n++) await house.task();
    expect(await house.place()).toMatchObject({ tasks: 2, left: 2 });
    expect(await house.claim(node)).toHaveLength(2);
    expect(await house.place()).toMatchObject({ tasks: 0, left: 2 });
  });

  it("keeps to the limit of a class, so that no GPU waits for a task that may not start", async () => {
    const node = await house.node("a", 4);
    await house.run(sql`update drover.class set concurrency_limit = 2 where name = 'gpu'`);
    for (let n = 0; n < 3; n++) await house.task();
    expect(await house.place()).toMatchObject({ tasks: 2, left: 1 });
    expect(await house.place()).toMatchObject({ tasks: 0 });
    expect(await house.claim(node)).toHaveLength(2);
    expect(await house.place()).toMatchObject({ tasks: 0, left: 1 });
  });

  it("counts cpu and memory that placed tasks were promised", async () => {
    await house.node("a");
    const half = { resources: { cpuMillicores: 8000, memoryBytes: 2 ** 30 }, placement: { node: "a" } };
    await house.task(half);
    await house.place();
    await house.task(half);
    await house.task(half);
    expect(await house.place()).toMatchObject({ tasks: 1, left: 1 });
  });

  it("gives slices and shared GPUs out slot by slot", async () => {
    const node = await house.node("a", 0, { slots: { gpu: 8 } });
    const shared = testGpu("a", 0, { kind: "shared", slotCount: 3 });
    await inventory(house.queue.db, node, { gpus: [shared], images: [], models: [] });
    const half = { resources: { gpuCount: 1, gpuShare: "shared" as const, gpuMemoryMib: 30_000 } };
    for (let n = 0; n < 3; n++) await house.task(half);
    expect(await house.place()).toMatchObject({ tasks: 2, left: 1 });
    const rows = await house.run<{ slot: number }>(sql`select a.slot from drover.gpu_allocation a order by 1`);
    expect(rows.map(({ slot }) => slot)).toEqual([0, 1]);
  });

  it("looks past those that find no place, and goes round a line longer than a page", async () => {
    await house.node("a", 2);
    for (let n = 0; n < 7; n++) await house.task(gpus(8));
    const small = await house.task();
    expect(await house.place({ pageSize: 2 })).toMatchObject({ tasks: 1, left: 7 });
    expect([...(await house.placements()).keys()]).toEqual([small]);
  });

  it("keeps room for a large task that has waited long", async () => {
    const node = await house.node("a", 2);
    const first = await house.task();
    await house.place();
    const [claim] = await house.claim(node);
    const large = await house.task(gpus(2));
    await house.age("tasks", 120);
    const [small, older] = [await house.task(), (BigInt(large) - (120_000n << 22n)).toString()];
    expect(await house.place()).toMatchObject({ tasks: 0, left: 2, reserved: 1 });
    await complete(house.queue.db, node, [{ taskKey: first, fence: claim?.fence ?? "", result: "1" }]);
    expect(await house.place()).toMatchObject({ tasks: 1, left: 1 });
    expect([...(await house.placements()).keys()]).toEqual([older]);
    expect(small).not.toBe(older);
  });
});

describe("createPlace, of gangs", () => {
  const member = (size: number, gpuCount = 2, name = "ddp") => ({ gang: { name, size }, resources: { gpuCount } });

  it("places none before all members are there, then all at once", async () => {
    await house.node("a", 2);
    await house.node("b", 2);
    await house.task(member(2));
    expect(await house.place()).toMatchObject({ tasks: 0, left: 1 });
    await house.task(member(2));
    expect(await house.place()).toMatchObject({ tasks: 2 });
    expect(new Set((await house.placements()).values()).size).toBe(2);
  });

  it("places none where one finds no room", async () => {
    await house.node("a", 3);
    await house.task(member(2));
    await house.task(member(2));
    expect(await house.place()).toMatchObject({ tasks: 0, left: 2 });
    expect(await house.queue.count("gpu_allocation")).toBe(0);
  });

  it("places none where one was cancelled between decision and writing", async () => {
    await house.node("a", 4);
    const keys = [await house.task(member(2)), await house.task(member(2))];
    const other = await house.queue.session();
    await other.begin();
    await cancelTask(other, keys[1] ?? "", "no", "test");
    expect(await house.place()).toMatchObject({ tasks: 0, isRefused: true });
    await other.commit();
    expect(await house.queue.count("task_placement")).toBe(0);
  });

  it("takes back what is not claimed of all members when one node is lost, and places them anew together", async () => {
    const [a] = [await house.node("a", 2), await house.node("b", 2)];
    await house.task(member(2));
    await house.task(member(2));
    await house.place();
    await house.lose(a);
    expect(await house.place()).toMatchObject({ takenBack: 2, tasks: 0, left: 2 });
    await house.node("c", 2);
    expect(await house.place()).toMatchObject({ tasks: 2 });
  });

  it("lets a member that failed come back alone", async () => {
    const node = await house.node("a", 4);
    const [first] = [await house.task(member(2)), await house.task(member(2))];
    await house.place();
    const claims = await house.claim(node);
    const claim = claims.find(({ task_id }) => task_id === first);
    await fail(house.queue.db, node, [
      { taskKey: first ?? "", fence: claim?.fence ?? "", class: "gpu_lost", message: "Xid 79" },
    ]);
    expect(await house.place()).toMatchObject({ tasks: 1 });
  });
});

describe("createPlace, in races", () => {
  it("lets one placer at it; the other returns at once", async () => {
    await house.node("a", 1);
    await house.task();
    const other = await house.queue.session();
    await other.begin();
    await other.run(sql`select pg_advisory_xact_lock(1146244950, 3)`);
    expect(await house.place()).toMatchObject({ isOurs: false, tasks: 0 });
    await other.commit();
    expect(await house.place()).toMatchObject({ isOurs: true, tasks: 1 });
  });

  it("places what several placers see at once exactly once", async () => {
    await house.node("a", 8, { slots: { gpu: 20 } });
    for (let n = 0; n < 8; n++) await house.task();
    const rounds = await Promise.all(Array.from({ length: 4 }, () => house.place()));
    expect(rounds.reduce((sum, { tasks }) => sum + tasks, 0)).toBe(8);
    expect(await house.queue.count("gpu_allocation")).toBe(8);
  });

  it("fails as a whole where a slot is taken all the same, and places on another GPU the next time", async () => {
    const node = await house.node("a", 2);
    const stale = await house.task();
    await house.place();
    // Somebody who did not hold the lock: the key of the slot keeps two tasks apart.
    const second = await house.task();
    const [slot] = await house.run<{ gpu_id: number }>(sql`select a.gpu_id from drover.gpu_allocation a`);
    const [queue] = await house.run<{ queue_id: number; sort_key: string }>(
      sql`select r.queue_id, r.sort_key from drover.task_ready r where r.task_id = ${second}`,
    );
    const writing = house.run(sql`
      select drover.place_tasks(array[${second}]::bigint[], array[${queue?.queue_id}]::integer[], array[${queue?.sort_key}]::bigint[],
        array[${node.holderId}]::integer[], array[null]::integer[], array[${second}]::bigint[], array[${slot?.gpu_id}]::integer[],
        array[0], array[null]::integer[])`);
    await expect(writing).rejects.toThrow("gpu_allocation_pkey");
    expect([...(await house.placements()).keys()]).toEqual([stale]);
    expect(await house.place()).toMatchObject({ tasks: 1 });
    expect(new Set((await house.claim(node)).flatMap((claim) => claim.gpus))).toEqual(new Set(["GPU-a-0", "GPU-a-1"]));
  });

  it("lets a cancellation between decision and claim win, and frees the GPU", async () => {
    const node = await house.node("a", 1);
    const key = await house.task();
    await house.place();
    const other = await house.queue.session();
    await other.begin();
    expect(await cancelTask(other, key, "no", "test")).toMatchObject({ state: "cancelled" });
    // The claim does not wait for it, nor deadlock with it.
    expect(await house.claim(node)).toEqual([]);
    await other.commit();
    expect(await house.claim(node)).toEqual([]);
    expect(await house.queue.count("gpu_allocation")).toBe(0);
    await house.task();
    expect(await house.place()).toMatchObject({ tasks: 1 });
  });

  it("lets a claim win over a cancellation that comes while it is under way", async () => {
    const node = await house.node("a", 1);
    const key = await house.task();
    await house.place();
    const [claiming, cancelling] = [await house.queue.session(), await house.queue.session()];
    await claiming.begin();
    await sync(claiming, node, { gpu: 1 }, false);
    const cancelled = cancelTask(cancelling, key, "no", "test");
    await cancelling.isBlocked();
    await claiming.commit();
    expect(await cancelled).toMatchObject({ state: "running" });
    expect(await house.queue.count("gpu_allocation")).toBe(1);
  });

  it("passes over a task that is being cancelled, without waiting", async () => {
    await house.node("a", 1);
    const key = await house.task();
    const other = await house.queue.session();
    await other.begin();
    await cancelTask(other, key, "no", "test");
    expect(await house.place()).toMatchObject({ tasks: 0, isRefused: true });
    await other.commit();
    expect(await house.place()).toMatchObject({ tasks: 0, isRefused: false });
  });

  it("takes a placement back whose node is lost before the claim, and never one that is being claimed", async () => {
    const [a, b] = [await house.node("a", 1), await house.node("b", 0)];
    const key = await house.task();
    await house.place();
    await house.lose(a);
    expect(await house.place()).toMatchObject({ takenBack: 1, tasks: 0, left: 1 });
    await inventory(house.queue.db, b, { gpus: [testGpu("b", 0)], images: [], models: [] });
    expect(await house.place()).toMatchObject({ tasks: 1 });
    await house.age("placements", 60);
    const claiming = await house.queue.session();
    await claiming.begin();
    const answer = await sync(claiming, b, { gpu: 1 }, false);
    expect(answer).toMatchObject({ claims: [{ task_id: key }] });
    expect(await house.place()).toMatchObject({ takenBack: 0 });
    await claiming.commit();
    expect(await house.place()).toMatchObject({ takenBack: 0 });
    expect(await house.queue.count("gpu_allocation")).toBe(1);
  });

  it.each([
    ["is cordoned", sql`update drover.holder set cordoned_at = now() where name = 'a'`],
    ["is to be drained", sql`update drover.holder set drain_requested_at = now() where name = 'a'`],
    ["is removed", sql`update drover.holder set removed_at = now() where name = 'a'`],
    [
      "does not claim for half a minute",
      sql`update drover.task_placement set placed_at = now() - interval '31 seconds'`,
    ],
  ])("takes a placement back when its node %s", async (_, statement) => {
    await house.node("a", 1);
    await house.task();
    await house.place();
    await house.run(statement);
    expect(await house.place()).toMatchObject({ takenBack: 1 });
  });

  it("gives a GPU away only after the lease of its task was taken back", async () => {
    const node = await house.node("a", 1);
    const first = await house.task();
    await house.place();
    const [claim] = await house.claim(node);
    await house.lose(node);
    // It returns with its GPU while the sweep has not yet taken back what it held.
    const again = await house.node("a", 1);
    const second = await house.task();
    expect(await house.place()).toMatchObject({ tasks: 0, left: 1 });
    const taking = await house.queue.session();
    await taking.begin();
    await taking.run(
      sql`select drover.take_back(array[${first}]::bigint[], array[${claim?.fence}]::bigint[], 'lease_lost', 'test')`,
    );
    expect(await house.place()).toMatchObject({ tasks: 0, left: 1 });
    await taking.commit();
    await house.place();
    const claims = await house.claim(again);
    expect(claims).toHaveLength(1);
    expect([first, second]).toContain(claims[0]?.task_id);
    expect(await house.queue.count("gpu_allocation")).toBe(1);
  });
});
