import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "@drover/db/client";
import { drainNode, findNode, listNodes } from "@drover/db/query/node";
import {
  dropNodeRole,
  endNodeSessions,
  ensureNodeLogin,
  removeNode,
  revokeNodeLogin,
} from "@drover/db/query/node-login";
import { cancelTask, getTasks, listAttempts } from "@drover/db/query/task";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { createTestAgent, submitProcess } from "./testing-agent.ts";

let database: TestDatabase;
let db: Database;
let taskBase: string;
beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 4 });
  taskBase = mkdtempSync(join(tmpdir(), "drover-fleet-"));
});
afterAll(async () => {
  await db.close();
  await database.drop();
  rmSync(taskBase, { recursive: true, force: true });
});

const stateOf = async (key: string) => (await getTasks(db, 1, [key]))[0]?.state;
const startsRunning = (key: string) => expect.poll(() => stateOf(key), { timeout: 10_000 }).toBe("running");

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("an agent whose node is drained", () => {
  it("sends back what still runs at the deadline, without counting an attempt, and takes nothing more", async () => {
    const { agent, source, stop } = createTestAgent({ db, name: "drained", taskBase });
    const key = await submitProcess(db, { command: ["sleep", "60"] });
    await agent.start();
    await startsRunning(key);
    await drainNode(db, source.holderId, { seconds: 0, reason: "", actor: "test" });
    await expect.poll(() => stateOf(key), { timeout: 10_000 }).toBe("pending");
    expect(await listAttempts(db, key)).toMatchObject([{ outcome: "released", error: { class: "drained" } }]);
    await source.poll({ cpu_short: 2 });
    expect(await stateOf(key)).toBe("pending");
    expect(await listNodes(db, "drained")).toMatchObject([{ state: "draining", running: "0" }]);
    await cancelTask(db, key, "end of test", "test");
    await stop();
  });
});

describe("an agent under a name that is not its login's", () => {
  it("is refused once, and does not try again", async () => {
    const own = new URL(database.url);
    own.password = "p".repeat(32);
    own.username = await ensureNodeLogin(db, 1, "rightful", own.password);
    const agentDb = openDatabase({ url: own.href, maxConnections: 1 });
    const refusals: unknown[] = [];
    const onRefused = (error: unknown) => void refusals.push(error);
    const { agent, source, stop } = createTestAgent({ db: agentDb, name: "wrongful", taskBase, onRefused });
    const registered = source.register();
    expect(await registered).toEqual({ status: "superseded", why: "the database does not take this node's login" });
    await agent.start();
    await expect.poll(() => refusals.length).toBe(2);
    await stop();
    expect(refusals).toHaveLength(2);
    expect(agent.isLeased).toBe(false);
    const holderId = (await findNode(db, "rightful"))?.id ?? 0;
    await removeNode(db, holderId, { isForced: true, actor: "test" });
    await dropNodeRole(db, holderId);
    await agentDb.close({ timeoutSeconds: 1 });
  });
});

describe("an agent whose login is revoked", () => {
  it("is told so, and stops its work", async () => {
    const own = new URL(database.url);
    own.password = "p".repeat(32);
    own.username = await ensureNodeLogin(db, 1, "revoked", own.password);
    const agentDb = openDatabase({ url: own.href, maxConnections: 1 });
    const refusals: unknown[] = [];
    const onRefused = (error: unknown) => void refusals.push(error);
    const { agent, source, stop } = createTestAgent({ db: agentDb, name: "revoked", taskBase, onRefused });
    const pidFile = join(taskBase, "pid");
    const key = await submitProcess(db, { command: ["sh", "-c", `echo $$ > ${pidFile}; exec sleep 60`] });
    await agent.start();
    await startsRunning(key);
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n")).toBe(true);
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(isAlive(pid)).toBe(true);

    await revokeNodeLogin(db, source.holderId, "test");
    await endNodeSessions(db, source.holderId);
    await expect.poll(() => agent.isLeased, { timeout: 15_000 }).toBe(false);
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    expect(refusals.length).toBeGreaterThan(0);
    await removeNode(db, source.holderId, { isForced: true, actor: "test" });
    await dropNodeRole(db, source.holderId);
    await stop();
    await agentDb.close({ timeoutSeconds: 1 });
  }, 30_000);
});
