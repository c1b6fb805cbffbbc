import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { complete } from "../node/settle.ts";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import { turnPartitions } from "./control.ts";
import { getTasks } from "./task.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

const parents = ["event", "task", "task_attempt", "task_final", "task_log"];

async function partitions(): Promise<string[]> {
  const rows = await house.db.run<{ name: string }>(sql`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
     where p.relkind = 'p' and c.relkind = 'r' order by 1`);
  return rows.map((row) => row.name);
}

/** Makes the partitions of a week that has long ended, as if the installation were that old. */
async function makeWeek(monday: string): Promise<void> {
  for (const parent of parents) {
    const name = `${parent}_${monday.replaceAll("-", "")}`;
    await house.db.run(
      sql.raw(`
      do $$ begin execute format('create table drover.${name} partition of drover.${parent} for values from (%s) to (%s)',
        drover.id_base('${monday} 00:00Z'), drover.id_base('${monday} 00:00Z'::timestamptz + interval '7 days')); end $$`),
    );
  }
}

async function insertAt(time: string, place: "task_ready" | "task_final"): Promise<string> {
  const queueId = await house.queue();
  const [row] = await house.db.run<{ id: string }>(sql`select drover.id_base(${time}::timestamptz) as id`);
  const id = row?.id ?? "";
  await house.db.run(
    sql`insert into drover.task (id, namespace_id, queue_id) values (${id}, ${house.context.namespaceId}, ${queueId})`,
  );
  await (place === "task_ready"
    ? house.db.run(
        sql`insert into drover.task_ready (queue_id, sort_key, task_id) values (${queueId}, drover.sort_key(${id}::bigint, 0), ${id})`,
      )
    : house.db.run(sql`insert into drover.task_final (task_id, state, attempt) values (${id}, 'completed', 1)`));
  await house.db.run(sql`insert into drover.task_key (namespace_id, kind, key, task_id, request_hash)
    values (${house.context.namespaceId}, 'id', ${time}, ${id}, 'x')`);
  return id;
}

const table = async (id: string) =>
  (
    await house.db.run<{ name: string }>(sql`select tableoid::regclass::text as name from drover.task where id = ${id}`)
  )[0]?.name;

describe("turnPartitions", () => {
  it("keeps this week and four ahead, and does nothing the second time", async () => {
    const names = await partitions();
    for (const parent of parents) {
      expect(names.filter((name) => name.replace(/_\d{8}$/, "") === parent)).toHaveLength(5);
    }
    expect(await turnPartitions(house.db, 30)).toEqual({ made: [], dropped: [] });
  });

  it("makes what is missing", async () => {
    const names = await partitions();
    const last = names.filter((name) => name.startsWith("event_")).at(-1) ?? "";
    await house.db.run(sql.raw(`drop table drover.${last}`));
    expect(await turnPartitions(house.db, 30)).toEqual({ made: [last], dropped: [] });
  });

  it("puts the last moment of a week and the first of the next into their own weeks", async () => {
    await makeWeek("2021-03-01");
    await makeWeek("2021-03-08");
    const last = await insertAt("2021-03-07 23:59:59.999Z", "task_final");
    const first = await insertAt("2021-03-08 00:00:00.000Z", "task_final");
    expect([await table(last), await table(first)]).toEqual(["drover.task_20210301", "drover.task_20210308"]);
    const found = await getTasks(house.db, house.context.namespaceId, [last, first]);
    expect(found.map((row) => row.state)).toEqual(["completed", "completed"]);
  });

  it("drops ended weeks, but none from the week of the oldest open task on", async () => {
    await makeWeek("2021-05-03");
    await makeWeek("2021-05-10");
    const open = await insertAt("2021-05-05 12:00Z", "task_ready");
    const done = await insertAt("2021-05-12 12:00Z", "task_final");
    const { dropped } = await turnPartitions(house.db, 30);
    expect(dropped.toSorted()).toEqual(
      parents.flatMap((parent) => [`${parent}_20210301`, `${parent}_20210308`]).toSorted(),
    );
    expect(await getTasks(house.db, house.context.namespaceId, [open])).toHaveLength(1);
    const worker = await house.worker("archivist");
    const { task_id, fence } = await house.claimOne(worker);
    expect(task_id).toBe(open);
    await complete(house.db, worker, [{ taskKey: open, fence }]);
    const later = await turnPartitions(house.db, 30);
    expect(later.dropped).toHaveLength(10);
    expect(await getTasks(house.db, house.context.namespaceId, [open, done])).toEqual([]);
    const keys = await house.db.run(sql`select from drover.task_key`);
    expect(keys).toEqual([]);
  });

  it("keeps a week that ended within the retention", async () => {
    const [monday] = await house.db.run<{ day: string }>(sql`
      select to_char(date_trunc('week', now() at time zone 'utc') - interval '14 days', 'YYYY-MM-DD') as day`);
    await makeWeek(monday?.day ?? "");
    expect((await turnPartitions(house.db, 15)).dropped).toEqual([]);
    expect((await turnPartitions(house.db, 6)).dropped).toHaveLength(5);
  });

  it("gives up after a moment where someone reads for long, instead of holding up everyone behind it", async () => {
    await makeWeek("2021-07-05");
    const session = await house.session();
    await session.begin();
    await session.run(sql`select count(*) from drover.task`);
    const started = performance.now();
    await expect(turnPartitions(house.db, 30)).rejects.toMatchObject({ reason: "unavailable" });
    expect(performance.now() - started).toBeLessThan(8000);
    await session.commit();
    expect((await turnPartitions(house.db, 30)).dropped).toHaveLength(5);
  });
});
