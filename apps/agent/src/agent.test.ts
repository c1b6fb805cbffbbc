import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createMetrics } from "@drover/daemon/metric";
import { type Database, openDatabase } from "@drover/db/client";
import { appendLog } from "@drover/db/node/settle";
import { createDirectory } from "@drover/db/query/directory";
import { listLogChunks } from "@drover/db/query/log";
import { submit } from "@drover/db/query/submit";
import { cancelTask, getTaskDetails, listAttempts } from "@drover/db/query/task";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import type { Execution } from "@drover/domain/execution";
import { type Agent, createAgent } from "./agent.ts";
import { createProcessExecutor } from "./executor/process.ts";
import { metrics as declarations } from "./metric.ts";
import { createNodeSource } from "./source.ts";

const log = createLog({ app: "test", level: "silent" });
let database: TestDatabase;
let db: Database;
let taskBase: string;
let names = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 4 });
  taskBase = mkdtempSync(join(tmpdir(), "drover-agent-"));
});
afterAll(async () => {
  await db.close();
  await database.drop();
  rmSync(taskBase, { recursive: true, force: true });
});

function setup(name = `node-${(names += 1)}`) {
  let superseded = 0;
  const slots = { cpu_short: 2 };
  const executors = [createProcessExecutor({ enabled: true, holder: name, taskBase, stopGraceSeconds: 1 })];
  const source = createNodeSource({
    db,
    name,
    version: "test",
    facts: () => ({ executors: ["process"], slots, facts: {} }),
    onHeld: (held) => agent.takeUp(held),
  });
  const agent: Agent = createAgent({
    source,
    executors,
    slots: () => slots,
    shipLogs: { append: (claim, chunk, lines) => appendLog(db, source, claim, chunk, lines), flushMs: 20 },
    graceSeconds: 1,
    metrics: createMetrics({ declarations }),
    onSuperseded: () => void (superseded += 1),
    log,
  });
  return { agent, source, superseded: () => superseded };
}

async function run(
  execution: Execution,
  options: { timeoutSeconds?: number; maxAttempts?: number } = {},
): Promise<string> {
  const queueId = await createDirectory({ db }).queueId({
    namespaceId: 1,
    className: "cpu_short",
    executor: "process",
    taskType: "",
  });
  const task = {
    queueId,
    payload: JSON.stringify({ x: 1 }),
    execution: JSON.stringify(execution),
    timeoutSeconds: options.timeoutSeconds,
    retry: JSON.stringify({ maxAttempts: options.maxAttempts ?? 1 }),
  };
  const [key = ""] = await submit(db, { namespaceId: 1, actor: "test" }, [task]);
  return key;
}

const taskOf = async (key: string) => (await getTaskDetails(db, 1, [key]))[0];
const logOf = async (key: string) =>
  (await listLogChunks(db, key, { attempt: -1, chunk: -1 }, 100)).flatMap(({ lines }) =>
    lines.map(([, , text]) => text),
  );

describe("agent", () => {
  it("runs what it claims and reports result and log", async () => {
    const { agent } = setup();
    const key = await run({ command: ["sh", "-c", 'echo "got $(cat $DROVER_PAYLOAD_PATH)"'] });
    await agent.start();
    await expect.poll(async () => (await taskOf(key))?.state, { timeout: 8000 }).toBe("completed");
    expect((await taskOf(key))?.result).toMatchObject({ exitCode: 0, stdoutTail: 'got {"x":1}\n' });
    expect(await logOf(key)).toEqual(['got {"x":1}']);
    await agent.stop("drain", AbortSignal.timeout(1000));
  });

  it("runs no more than its slots at once", async () => {
    const { agent } = setup();
    await Promise.all([1, 2, 3, 4].map(() => run({ command: ["sleep", "0.3"] })));
    await agent.start();
    let most = 0;
    await expect
      .poll(
        async () => {
          const [row] = await db.run<{ running: number; open: number }>(sql`
            select (select count(*) from drover.task_lease)::integer as running,
                   (select count(*) from drover.task_ready)::integer as open`);
          most = Math.max(most, row?.running ?? 0);
          return (row?.running ?? 0) + (row?.open ?? 0);
        },
        { timeout: 10_000, interval: 20 },
      )
      .toBe(0);
    expect(most).toBe(2);
    await agent.stop("drain", AbortSignal.timeout(1000));
  });

  it("stops a cancelled task and says so", async () => {
    const { agent } = setup();
    const key = await run({ command: ["sleep", "60"] });
    await agent.start();
    await expect.poll(async () => (await taskOf(key))?.state, { timeout: 8000 }).toBe("running");
    expect(await cancelTask(db, key, "enough", "test")).toMatchObject({ state: "running" });
    await expect.poll(async () => (await taskOf(key))?.state, { timeout: 10_000 }).toBe("cancelled");
    await agent.stop("drain", AbortSignal.timeout(1000));
  });

  it("hands back what does not end in time when it is stopped, without counting an attempt", async () => {
    const { agent } = setup();
    const key = await run({ command: ["sleep", "60"] });
    await agent.start();
    await expect.poll(async () => (await taskOf(key))?.state, { timeout: 8000 }).toBe("running");
    await agent.stop("drain", AbortSignal.timeout(50));
    expect(await taskOf(key)).toMatchObject({ state: "pending", attempt: 0 });
    expect(await listAttempts(db, key)).toMatchObject([{ outcome: "released" }]);
    await cancelTask(db, key, "end of test", "test");
  });

  it("leaves the field when another agent takes over its name, and that one runs the task", async () => {
    const first = setup("twin");
    const key = await run({ command: ["sh", "-c", "sleep 1; echo done"] });
    await first.agent.start();
    await expect.poll(async () => (await taskOf(key))?.state, { timeout: 8000 }).toBe("running");
    const second = setup("twin");
    await second.agent.start();
    await expect.poll(async () => (await taskOf(key))?.state, { timeout: 15_000 }).toBe("completed");
    expect(await listAttempts(db, key)).toMatchObject([{ outcome: "lost", error: { class: "agent_restarted" } }]);
    await expect.poll(first.superseded, { timeout: 8000 }).toBe(1);
    await second.agent.stop("drain", AbortSignal.timeout(1000));
    await first.agent.stop("drain", AbortSignal.timeout(1000));
  });
});
