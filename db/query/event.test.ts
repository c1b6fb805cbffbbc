import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../client.ts";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import { cursorAt, type EventCursor, type EventRow, listEvents, newestCursor } from "./event.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

const write = (db: Executor, kind: string) =>
  db.run(sql`insert into drover.event (id, namespace_id, kind, actor, task_ids)
    values (drover.next_id(), ${house.context.namespaceId}, ${kind}, 'test', '{}')`);

/** All that a follower sees from a cursor on, read in pages of two, and the cursor after it. */
async function follow(from: EventCursor, kinds: string[] = []): Promise<{ seen: string[]; cursor: EventCursor }> {
  const seen: EventRow[] = [];
  let cursor = from;
  for (;;) {
    const page = await listEvents(house.db, house.context.namespaceId, cursor, kinds, 2);
    seen.push(...page);
    cursor = page.at(-1) ?? cursor;
    if (page.length === 0) return { seen: seen.map((row) => row.kind), cursor: { xid: cursor.xid, id: cursor.id } };
  }
}

describe("listEvents", () => {
  it("never skips an event that was written earlier and committed later", async () => {
    const start = await newestCursor(house.db);
    const session = await house.session();
    await session.begin();
    await write(session, "slow");
    await write(house.db, "quick");
    // The quick one is held back, so that nobody's cursor passes the slow one.
    const early = await follow(start);
    expect(early.seen).toEqual([]);
    await session.commit();
    await expect.poll(async () => (await follow(early.cursor)).seen).toEqual(["slow", "quick"]);
  });

  it("orders transactions by number, also where that gets another digit", async () => {
    for (const xid of ["9", "98", "99", "100", "101"]) {
      await house.db.run(sql`insert into drover.event (id, namespace_id, kind, actor, task_ids, xid)
        values (drover.next_id(), ${house.context.namespaceId}, ${`at-${xid}`}, 'test', '{}', ${xid}::text::xid8)`);
    }
    const kinds = ["at-9", "at-98", "at-99", "at-100", "at-101"];
    expect((await follow({ xid: "8", id: "0" }, kinds)).seen).toEqual(kinds);
  });

  it("shows each event once to a follower, whatever the order of commits", async () => {
    let cursor = await newestCursor(house.db);
    const seen: string[] = [];
    const sessions = await Promise.all([house.session(), house.session(), house.session()]);
    for (const [n, session] of sessions.entries()) {
      await session.begin();
      await write(session, `open-${n}`);
    }
    for (const n of [2, 0, 1]) {
      await write(house.db, `between-${n}`);
      await sessions[n]?.commit();
      const step = await follow(cursor);
      seen.push(...step.seen);
      cursor = step.cursor;
    }
    await expect
      .poll(async () => {
        const step = await follow(cursor);
        seen.push(...step.seen);
        cursor = step.cursor;
        return seen.length;
      })
      .toBe(6);
    expect(seen.toSorted()).toEqual(["between-0", "between-1", "between-2", "open-0", "open-1", "open-2"]);
  });

  it("filters by kind and by namespace, and names every task of a batch", async () => {
    const start = await newestCursor(house.db);
    const queueId = await house.queue();
    const keys = await house.submit([{ queueId }, { queueId }]);
    await write(house.db, "other");
    await house.db.run(sql`insert into drover.namespace (name) values ('elsewhere') on conflict do nothing`);
    await house.db.run(sql`insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), id, 'task.submitted', 'test', '{"n":1}' from drover.namespace where name = 'elsewhere'`);
    await expect
      .poll(async () => listEvents(house.db, house.context.namespaceId, start, ["task.submitted"], 10))
      .toMatchObject([{ kind: "task.submitted", actor: "test", task_ids: keys, data: null }]);
  });
});

describe("newestCursor", () => {
  it("comes after all that is committed, and before what is still open", async () => {
    await write(house.db, "before");
    const session = await house.session();
    await session.begin();
    await write(session, "open");
    const cursor = await newestCursor(house.db);
    await session.commit();
    await write(house.db, "after");
    await expect.poll(async () => (await follow(cursor)).seen).toEqual(["open", "after"]);
  });
});

describe("cursorAt", () => {
  it("comes before the first event at or after a time, also one that is not committed yet", async () => {
    await write(house.db, "yesterday");
    const [now] = await house.db.run<{ at: string }>(
      sql`select (clock_timestamp() + interval '1 millisecond')::text as at`,
    );
    await expect
      .poll(
        async () =>
          (
            await house.db.run<{ later: boolean }>(
              sql`select clock_timestamp() > ${now?.at ?? ""}::timestamptz + interval '1 millisecond' as later`,
            )
          )[0]?.later,
      )
      .toBe(true);
    const session = await house.session();
    await session.begin();
    await write(session, "open");
    await write(house.db, "closed");
    const cursor = await cursorAt(house.db, new Date(now?.at ?? ""));
    await session.commit();
    await expect.poll(async () => (await follow(cursor)).seen).toEqual(["open", "closed"]);
    const past = await cursorAt(house.db, new Date(now?.at ?? ""));
    expect((await follow(past)).seen).toEqual(["open", "closed"]);
  });

  it("is the newest one where nothing happened since", async () => {
    expect((await follow(await cursorAt(house.db, new Date(Date.now() + 60_000)))).seen).toEqual([]);
  });
});
