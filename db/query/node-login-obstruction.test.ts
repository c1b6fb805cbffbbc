import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type Database, openDatabase } from "../client.ts";
import { createTestDatabase, type TestDatabase } from "../testing.ts";
import { sweep } from "./control.ts";
import { findNode } from "./node.ts";
import { dropNodeRole, ensureNodeLogin, removeNode } from "./node-login.ts";
import { lockPlacing } from "./placement.ts";

let house: TestDatabase;
let db: Database;
let url: string;
beforeAll(async () => {
  house = await createTestDatabase();
  db = openDatabase({ url: house.url, maxConnections: 3 });
  const own = new URL(house.url);
  own.password = "o".repeat(32);
  own.username = await ensureNodeLogin(db, 1, "evil", own.password);
  url = own.href;
});
afterAll(async () => {
  const id = (await findNode(db, "evil"))?.id ?? 0;
  await removeNode(db, id, { isForced: true, actor: "test" });
  await dropNodeRole(db, id);
  await db.close();
  await house.drop();
});

/** A session of the node's own login. */
const open = () => {
  const evil = openDatabase({ url, maxConnections: 1 });
  onTestFinished(() => evil.close({ timeoutSeconds: 1 }));
  return evil;
};
const endObstructing = async (seconds: number) => {
  const [row] = await db.run<{ names: string[] }>(sql`select drover.end_obstructing_sessions(${seconds}) as names`);
  return row?.names;
};
const mayPlace = () => db.transaction(lockPlacing);

it("a node's session that holds the lock of placing is ended, and placing goes on", async () => {
  const evil = open();
  await evil.run(sql`select pg_advisory_lock(1146244950, 3)`);
  expect(await mayPlace()).toBe(false);
  await sweep(db);
  await expect.poll(mayPlace).toBe(true);
  const told = sql`select data from drover.event where kind = 'node.sessions_ended'`;
  expect(await db.run(told)).toEqual([{ data: { name: "evil" } }]);
});

it("a node's session that leaves a transaction open is ended, when that takes long", async () => {
  const evil = open();
  const left = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const transaction = evil.transaction(async (tx) => {
    await tx.run(sql`select 1`);
    begun.resolve();
    await left.promise;
    await tx.run(sql`select 1`);
  });
  const outcome = transaction.catch((error: unknown) => error);
  await begun.promise;
  expect(await endObstructing(3600)).toEqual([]);
  expect(await endObstructing(0)).toEqual(["evil"]);
  left.resolve();
  expect(await outcome).toMatchObject({ reason: "unavailable" });
});

it("a node's session that only waits, and transactions of others, are left alone", async () => {
  const good = open();
  await good.run(sql`select 1`);
  await db.transaction(async (tx) => {
    await tx.run(sql`select pg_advisory_xact_lock(1146244950, 3)`);
    expect(await endObstructing(0)).toEqual([]);
  });
  expect(await good.run(sql`select 2 as two`)).toEqual([{ two: 2 }]);
});

it("the role of a node that left large objects can be dropped", async () => {
  await open().run(sql`select lo_create(0)`);
  const id = (await findNode(db, "evil"))?.id ?? 0;
  await removeNode(db, id, { isForced: true, actor: "test" });
  await dropNodeRole(db, id);
  expect(await db.run(sql`select from pg_roles where rolname = ${new URL(url).username}`)).toEqual([]);
});
