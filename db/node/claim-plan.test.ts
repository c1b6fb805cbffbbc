import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../client.ts";
import { openTestQueue, type TestHolder, type TestQueue } from "../testing-queue.ts";
import { complete } from "./settle.ts";
import { claim } from "./sync.ts";

let house: TestQueue;
let worker: TestHolder;
let queueId: number;
beforeAll(async () => {
  house = await openTestQueue();
  queueId = await house.queue({ taskType: "planned" });
  worker = await house.worker("planner", { taskTypes: ["planned"] });
  // As fresh as an installation is: nobody has analysed anything, and plans are made for empty tables.
  await claim(house.db, worker, 1);
});
afterAll(() => house.close());

/** Claims and completes a batch in one transaction; the buffers that the hot tables and their indexes were read for. */
async function buffersOf(work: (tx: Executor) => Promise<unknown>): Promise<number> {
  const session = await house.session();
  await session.run(sql`select pg_stat_force_next_flush()`);
  const before = await touched(session);
  await work(session);
  await session.run(sql`select pg_stat_force_next_flush()`);
  return (await touched(session)) - before;
}

async function touched(db: Executor): Promise<number> {
  const [row] = await db.run<{ blocks: string }>(sql`
    select sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)) as blocks
      from pg_statio_user_tables where schemaname = 'drover' and relname in ('task_ready', 'task_lease', 'task_waiting')`);
  return Number(row?.blocks ?? 0);
}

async function round(tx: Executor): Promise<void> {
  const claims = await claim(tx, worker, 10);
  expect(claims).toHaveLength(10);
  const batch = claims.map((one) => ({ taskKey: one.task_id, fence: one.fence }));
  expect(await complete(tx, worker, batch)).toEqual([]);
}

describe("a claim", () => {
  it("touches hardly more when 500,000 tasks are parked or wait, with statistics of an empty or of a full table", async () => {
    // The counters belong to the tables: autovacuum would count as well.
    for (const table of ["task_ready", "task_lease", "task_waiting"]) {
      await house.db.run(sql`alter table drover.${sql.identifier(table)} set (autovacuum_enabled = false)`);
    }
    await house.submit(Array.from({ length: 100 }, () => ({ queueId })));
    await round(house.db);
    const alone = await buffersOf(round);
    expect(alone).toBeGreaterThan(0);

    const [parked, paused] = await Promise.all([
      house.queue({ taskType: "no-handler" }),
      house.queue({ className: "paused", taskType: "planned" }),
    ]);
    await house.db.run(sql`update drover.class set paused_at = now() where name = 'paused'`);
    // Older than everything that can run, so that they stand in front of it.
    await house.db.run(sql`
      insert into drover.task_ready (queue_id, sort_key, task_id)
      select case when n % 2 = 0 then ${parked}::integer else ${paused}::integer end, n, n from generate_series(1, 400000) n`);
    await house.db.run(sql`
      insert into drover.task_waiting (task_id, queue_id, sort_key, attempt, reason, until_at)
      select 1000000 + n, ${queueId}, n, 0, 'delayed', now() + interval '1 day' from generate_series(1, 100000) n`);
    const crowded = await buffersOf(round);
    // Indexes grew by a level or two; nothing was read through. Scans would have touched thousands of blocks.
    expect(crowded).toBeLessThan(alone * 3 + 100);

    await house.db.run(sql`analyze drover.task_ready, drover.task_waiting, drover.task_lease`);
    expect(await buffersOf(round)).toBeLessThan(alone * 3 + 100);

    // And the other way round: statistics of a full table, which is then almost empty.
    await house.db.run(sql`delete from drover.task_ready where queue_id <> ${queueId}`);
    await house.db.run(sql`vacuum drover.task_ready`);
    expect(await buffersOf(round)).toBeLessThan(alone * 3 + 100);
  }, 60_000);
});
