import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createLog } from "@drover/daemon/log";
import { type Database, openDatabase } from "@drover/db/client";
import { tryLogin } from "@drover/db/node/login";
import { endNodeSessions, ensureNodeLogin, revokeNodeLogin } from "@drover/db/query/node-login";
import { findNode } from "@drover/db/query/node";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { fixedLogin, type HeldLogin, holdLogin } from "./held-login.ts";

const log = createLog({ app: "test", level: "silent" });
let database: TestDatabase;
let admin: Database;
let folder: string;
let file: string;
let url: string;
let holderId: number;

beforeEach(async () => {
  database = await createTestDatabase();
  admin = openDatabase({ url: database.url, maxConnections: 2 });
  folder = mkdtempSync(join(tmpdir(), "drover-held-login-"));
  file = join(folder, "agent.url");
  const own = new URL(database.url);
  own.password = "o".repeat(32);
  own.username = await ensureNodeLogin(admin, 1, "mine", own.password);
  url = own.href;
  writeFileSync(file, url, { mode: 0o600 });
  holderId = (await findNode(admin, "mine"))?.id ?? 0;
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await admin.close();
  await database.drop();
});

const hold = () => holdLogin({ file, rotateDays: 30, signal: new AbortController().signal, log });
const age = () => utimesSync(file, new Date(), new Date(Date.now() - 31 * 86_400_000));
const open = ({ url: at, password }: HeldLogin) => {
  const db = openDatabase({ url: at, maxConnections: 1, ...(password && { password }) });
  onTestFinished(() => db.close({ timeoutSeconds: 1 }));
  return db;
};

describe("the login of a node that runs", () => {
  it("gets a new password when the old one has become old, and only then; connections go on, and new ones know it", async () => {
    const login = await hold();
    const db = open(login);
    const one = () => db.run(sql`select 1 as one`).catch(String);
    await login.renew();
    expect(readFileSync(file, "utf8")).toBe(url);
    expect(await one()).toEqual([{ one: 1 }]);
    age();
    await login.renew();
    expect(await one()).toEqual([{ one: 1 }]);
    const renewed = readFileSync(file, "utf8");
    expect([await tryLogin(url), await tryLogin(renewed)]).toEqual(["refused", "accepted"]);
    await endNodeSessions(admin, holderId);
    await expect.poll(one).toEqual([{ one: 1 }]);
    await expect(login.password?.()).resolves.toBe(new URL(renewed).password);
  });

  it("is never taken for refused by connections that begin while its password is replaced", async () => {
    const login = await hold();
    let isOver = false;
    let connections = 0;
    const final: unknown[] = [];
    const connecting = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const db = openDatabase({
          url: login.url,
          maxConnections: 1,
          ...(login.password && { password: login.password }),
        });
        await db.run(sql`select 1`).catch(async (error: unknown) => {
          if (await login.isRefused(error)) final.push(error);
        });
        connections += 1;
        await db.close();
      }
    });
    for (let turn = 0; turn < 5; turn += 1) {
      age();
      await login.renew();
      const before = connections;
      await expect.poll(() => connections).toBeGreaterThan(before + 4);
    }
    isOver = true;
    await Promise.all(connecting);
    expect(final).toEqual([]);
  });

  it("is refused for good once it is revoked", async () => {
    const login = await hold();
    await revokeNodeLogin(admin, holderId, "test");
    const error: unknown = await open(login)
      .run(sql`select 1`)
      .then(
        () => undefined,
        (fault: unknown) => fault,
      );
    expect(error).toBeDefined();
    await expect(login.isRefused(error)).resolves.toBe(true);
  });

  it("is left to others where a setting gives it", async () => {
    const login = fixedLogin(url);
    await login.renew();
    expect(login).toMatchObject({ url });
    expect(login.password).toBeUndefined();
    await expect(login.isRefused(new Error("28P01"))).resolves.toBe(true);
  });
});
