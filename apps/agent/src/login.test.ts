import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { type Database, openDatabase } from "@drover/db/client";
import { rotateLogin, tryLogin } from "@drover/db/node/login";
import { findNode } from "@drover/db/query/node";
import { dropNodeRole, ensureNodeLogin, removeNode } from "@drover/db/query/node-login";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { openLogin } from "./login.ts";

const log = createLog({ app: "test", level: "silent" });
const dayMs = 86_400_000;
const newPassword = "n".repeat(32);
let database: TestDatabase;
let db: Database;
let folder: string;
let file: string;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 2 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "drover-login-"));
  file = join(folder, "agent.url");
  const own = new URL(database.url);
  own.password = "o".repeat(32);
  own.username = await ensureNodeLogin(db, 1, "mine", own.password);
  url = own.href;
  writeFileSync(file, `${url}\n`, { mode: 0o600 });
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  const holderId = (await findNode(db, "mine"))?.id ?? 0;
  await removeNode(db, holderId, { isForced: true, actor: "test" });
  await dropNodeRole(db, holderId);
});

const open = (options: { rotateDays?: number; signal?: AbortSignal } = {}) =>
  openLogin({ file, rotateDays: 0, signal: new AbortController().signal, log, ...options });
const age = (days: number) => utimesSync(file, new Date(), new Date(Date.now() - days * dayMs));
const renewed = () => url.replace("o".repeat(32), newPassword);
const files = () => readdirSync(folder).toSorted();

describe("a node's password", () => {
  it("is replaced when its file is older than it may be, and then holds for as long again", async () => {
    age(31);
    const next = await open({ rotateDays: 30 });
    expect(next).not.toBe(url);
    expect(new URL(next).host).toBe(new URL(url).host);
    expect(readFileSync(file, "utf8")).toBe(next);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect([await tryLogin(next), await tryLogin(url)]).toEqual(["accepted", "refused"]);
    expect(files()).toEqual(["agent.url"]);
    expect(await open({ rotateDays: 30 })).toBe(next);
  });

  it("stays where it is young, or may never be replaced", async () => {
    expect(await open({ rotateDays: 30 })).toBe(url);
    age(1000);
    expect(await open({ rotateDays: 0 })).toBe(url);
  });

  it("is told in an event, without the password", async () => {
    await rotateLogin(url, newPassword);
    const rows = await db.run(
      sql`select kind, data from drover.event where kind = 'node.login_rotated' order by id desc limit 1`,
    );
    expect(rows).toEqual([{ kind: "node.login_rotated", data: { name: "mine" } }]);
  });

  it("stays where the database refuses the new one, or the login is no node's", async () => {
    await expect(rotateLogin(url, "short")).resolves.toBe(false);
    writeFileSync(file, database.url);
    age(31);
    // The test's own superuser: not a node.
    expect(await open({ rotateDays: 30 })).toBe(database.url);
    expect(files()).toEqual(["agent.url"]);
  });

  it("stays where its file cannot be replaced, and is tried again at the next start", async () => {
    age(31);
    mkdirSync(`${file}.draft`);
    expect(await open({ rotateDays: 30 })).toBe(url);
    expect(await tryLogin(url)).toBe("accepted");
    expect(files()).toEqual(["agent.url", "agent.url.draft"]);
    rmSync(`${file}.draft`, { recursive: true });
    expect(await open({ rotateDays: 30 })).not.toBe(url);
  });

  it("is replaced where a link leads, and the link stays", async () => {
    const link = join(folder, "link.url");
    symlinkSync(file, link);
    age(31);
    const next = await openLogin({ file: link, rotateDays: 30, signal: new AbortController().signal, log });
    expect(readFileSync(file, "utf8")).toBe(next);
    expect(readFileSync(link, "utf8")).toBe(next);
  });
});

describe("a rotation that was cut off", () => {
  it("before the new password was written whole leaves the old one", async () => {
    writeFileSync(`${file}.next.draft`, renewed().slice(0, 20));
    expect(await open()).toBe(url);
    age(31);
    expect(await tryLogin(await open({ rotateDays: 30 }))).toBe("accepted");
    expect(files()).toEqual(["agent.url"]);
  });

  it("before the database was told leaves the old one", async () => {
    writeFileSync(`${file}.next`, renewed());
    expect(await open()).toBe(url);
    expect(files()).toEqual(["agent.url"]);
  });

  it("after the database was told is finished", async () => {
    writeFileSync(`${file}.next`, renewed());
    await rotateLogin(url, newPassword);
    expect(await open()).toBe(renewed());
    expect(readFileSync(file, "utf8")).toBe(renewed());
    expect(files()).toEqual(["agent.url"]);
  });

  it("keeps both passwords while the database takes neither, and says what to do", async () => {
    writeFileSync(`${file}.next`, renewed());
    await ensureNodeLogin(db, 1, "mine", "x".repeat(32));
    await expect(open()).rejects.toThrow("takes neither the login in");
    expect(files()).toEqual(["agent.url", "agent.url.next"]);
  });

  it("is not settled by a database that does not answer: the agent waits", async () => {
    const nowhere = (text: string) => text.replace(/@[^/]+/, "@127.0.0.1:1");
    writeFileSync(file, nowhere(url));
    writeFileSync(`${file}.next`, nowhere(renewed()));
    const stop = new AbortController();
    const opened = open({ signal: stop.signal });
    let isOver = false;
    void opened.finally(() => (isOver = true));
    expect(await tryLogin(nowhere(url))).toBe("unreachable");
    expect(isOver).toBe(false);
    stop.abort();
    await opened;
    expect(existsSync(`${file}.next`)).toBe(true);
  });
});

describe("openLogin", () => {
  it("says how to get a login where there is no file", async () => {
    rmSync(file);
    await expect(open()).rejects.toThrow("found no such file");
  });
});
