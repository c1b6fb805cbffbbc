import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Database, openDatabase } from "@drover/db/client";
import { sweep } from "@drover/db/query/control";
import { listLogChunks } from "@drover/db/query/log";
import { getTaskDetails, listAttempts } from "@drover/db/query/task";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import type { DisconnectPolicy } from "@drover/domain/environment/declaration";
import { createTestAgent, submitProcess } from "./testing-agent.ts";

let database: TestDatabase;
let db: Database;
let base: string;
let names = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 6 });
  base = mkdtempSync(join(tmpdir(), "drover-agent-"));
  await db.run(sql`update drover.control set lease_seconds = 2, lease_margin_seconds = 1`);
});
afterAll(async () => {
  await db.close();
  await database.drop();
  rmSync(base, { recursive: true, force: true });
});

/** A node that runs a task of this policy, which waits for a file and ends; then the node is cut off. */
async function setup(onDisconnect?: DisconnectPolicy) {
  const name = `cut-${(names += 1)}`;
  const go = join(base, `${name}.go`);
  const pidFile = join(base, `${name}.pid`);
  const node = createTestAgent({ db, name, taskBase: base });
  onTestFinished(() => {
    node.setCut(false);
    return node.stop();
  });
  const script = `echo before; [ -e ${pidFile} ] || echo $$ > ${pidFile}; until [ -e ${go} ]; do sleep 0.05; done; echo after`;
  const key = await submitProcess(db, { command: ["sh", "-c", script], ...(onDisconnect && { onDisconnect }) });
  await node.agent.start();
  await expect.poll(() => existsSync(pidFile)).toBe(true);
  const [lease] = await db.run<{ fence: string }>(sql`select fence from drover.task_lease where task_id = ${key}`);
  node.setCut(true);
  await expect.poll(() => node.agent.isLeased).toBe(false);
  const pid = Number(readFileSync(pidFile, "utf8"));
  return {
    node,
    key,
    fence: lease?.fence,
    let: () => writeFileSync(go, ""),
    isRunning: () => existsSync(`/proc/${pid}`),
    task: async () => (await getTaskDetails(db, 1, [key]))[0],
    log: async () =>
      (await listLogChunks(db, key, { attempt: -1, chunk: -1 }, 100)).flatMap(({ lines }) =>
        lines.map(([, , text]) => text),
      ),
  };
}

/** The control plane, which has been up for long, finds the node silent. */
async function declareLost(): Promise<void> {
  await db.run(sql`update drover.control set swept_at = now(), resumed_at = now() - interval '1 hour'`);
  await db.run(sql`update drover.holder_lease set expires_at = now() - interval '1 minute'`);
  expect(await sweep(db, new Date(0))).toMatchObject({ lost: 1 });
}

describe("a node that was cut off for longer than its lease", () => {
  it("ends with what it was told to keep, under the same claim, log and all", async () => {
    const { node, key, fence, isRunning, log, task, ...one } = await setup({ kind: "keep" });
    await declareLost();
    expect(await task()).toMatchObject({ state: "running", attempt: 1 });
    one.let();
    await expect.poll(isRunning).toBe(false);
    node.setCut(false);
    await expect.poll(async () => (await task())?.state).toBe("completed");
    expect(await task()).toMatchObject({ attempt: 1, result: { exitCode: 0 } });
    expect(await listAttempts(db, key)).toEqual([]);
    expect(await log()).toEqual(["before", "after"]);
    expect(fence).toBeDefined();
    expect(await node.stale()).toBe(0);
  });

  it("goes on with it where it is not done yet", async () => {
    const { node, key, fence, isRunning, task, ...one } = await setup({ kind: "keep" });
    await declareLost();
    node.setCut(false);
    await expect.poll(() => node.agent.isLeased).toBe(true);
    expect(await db.run(sql`select fence from drover.task_lease where task_id = ${key}`)).toEqual([{ fence }]);
    expect(isRunning()).toBe(true);
    one.let();
    await expect.poll(async () => (await task())?.state).toBe("completed");
    expect(await task()).toMatchObject({ attempt: 1 });
  });

  it("stops on its return what was replaced meanwhile, and the other's result counts", async () => {
    const { node, key, isRunning, task, ...one } = await setup({ kind: "replace" });
    expect(isRunning()).toBe(true);
    await declareLost();
    const other = createTestAgent({ db, name: `other-${names}`, taskBase: join(base, "other") });
    onTestFinished(() => other.stop());
    await other.agent.start();
    await expect.poll(async () => (await task())?.attempt).toBe(2);
    expect(isRunning()).toBe(true);
    node.setCut(false);
    await expect.poll(isRunning).toBe(false);
    await expect.poll(() => node.stale()).toBe(1);
    expect(await task()).toMatchObject({ state: "running", attempt: 2 });
    one.let();
    await expect.poll(async () => (await task())?.state).toBe("completed");
    expect(await task()).toMatchObject({ attempt: 2 });
    expect(await listAttempts(db, key)).toMatchObject([{ outcome: "lost", error: { class: "lease_expired" } }]);
  });

  it("has stopped everything else before its lease ended", async () => {
    const { isRunning, node, key, task, ...one } = await setup();
    await expect.poll(isRunning).toBe(false);
    expect(await task()).toMatchObject({ state: "running" });
    one.let();
    node.setCut(false);
    await expect.poll(async () => (await task())?.state).toBe("completed");
    expect(await listAttempts(db, key)).toMatchObject([{ outcome: "lost", error: { class: "lease_lost" } }]);
  });
});

describe("a node that is back before it is missed", () => {
  it("goes on with what was to be replaced", async () => {
    const { node, key, isRunning, task, ...one } = await setup({ kind: "replace" });
    node.setCut(false);
    await expect.poll(() => node.agent.isLeased).toBe(true);
    expect(isRunning()).toBe(true);
    one.let();
    await expect.poll(async () => (await task())?.state).toBe("completed");
    expect(await listAttempts(db, key)).toEqual([]);
  });
});
