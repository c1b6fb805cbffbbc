import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../client.ts";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import { insertClass, listClasses } from "./class.ts";
import { createDirectory } from "./directory.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

/** The database, counting what is asked of it. */
function counted() {
  const asked = { statements: 0 };
  const db: Executor = {
    run: (statement) => {
      asked.statements += 1;
      return house.db.run(statement);
    },
  };
  return { db, asked };
}

describe("createDirectory", () => {
  it("looks names up once, and makes a queue on first use, also when many ask at once", async () => {
    const { db, asked } = counted();
    const directory = createDirectory({ db });
    const namespaceId = await directory.namespaceId("default");
    const queue = { namespaceId, className: "cpu_short", executor: "worker", taskType: "a'b\"c" } as const;
    const ids = await Promise.all(Array.from({ length: 5 }, () => directory.queueId(queue)));
    expect(new Set(ids).size).toBe(1);
    const before = asked.statements;
    expect(await directory.queueId(queue)).toBe(ids[0]);
    expect(await directory.namespaceId("default")).toBe(namespaceId);
    expect(asked.statements).toBe(before);
    const rows = await house.db.run(sql`select from drover.queue where task_type = ${queue.taskType}`);
    expect(rows).toHaveLength(1);
  });

  it("sees a change of a class after its moment, not before", async () => {
    const { db } = counted();
    await insertClass(house.db, house.context.namespaceId, "changing", { depthLimit: 5n, defaultImage: "a" });
    const [remembering, forgetting] = [createDirectory({ db }), createDirectory({ db, classSeconds: 0 })];
    const { namespaceId } = house.context;
    expect(await remembering.class(namespaceId, "changing")).toMatchObject({ depthLimit: 5, defaultImage: "a" });
    await house.db.run(sql`update drover.class set depth_limit = null, default_image = null where name = 'changing'`);
    expect(await remembering.class(namespaceId, "changing")).toMatchObject({ depthLimit: 5 });
    expect(await forgetting.class(namespaceId, "changing")).toMatchObject({
      depthLimit: undefined,
      defaultImage: undefined,
    });
  });

  it("names what does not exist, and does not remember its absence", async () => {
    const directory = createDirectory({ db: house.db });
    await expect(directory.namespaceId("nowhere")).rejects.toMatchObject({
      reason: "not_found",
      message: expect.stringContaining("nowhere"),
    });
    await expect(directory.class(house.context.namespaceId, "missing")).rejects.toMatchObject({
      reason: "invalid",
      facts: { hint: expect.stringContaining("drover class create missing"), fields: [{ field: "class" }] },
    });
    await insertClass(house.db, house.context.namespaceId, "missing", {});
    expect(await directory.class(house.context.namespaceId, "missing")).toMatchObject({ defaultImage: undefined });
  });
});

describe("insertClass", () => {
  it("answers undefined where the name is taken, and refuses what is no name", async () => {
    const { namespaceId } = house.context;
    expect(await insertClass(house.db, namespaceId, "fresh", { concurrencyLimit: 2 })).toBeGreaterThan(0);
    expect(await insertClass(house.db, namespaceId, "fresh", {})).toBeUndefined();
    await expect(insertClass(house.db, namespaceId, "No Name", {})).rejects.toMatchObject({
      constraint_name: "class_name_is_a_word",
    });
    const [row] = await listClasses(house.db, namespaceId, "fresh");
    expect(row).toMatchObject({ concurrency_limit: 2, paused: false, pending: "0", running: "0", waiting: "0" });
  });
});
