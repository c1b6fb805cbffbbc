import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createMetrics } from "@drover/daemon/metric";
import { type Database, openDatabase } from "@drover/db/client";
import { appendLog } from "@drover/db/node/settle";
import { createDirectory } from "@drover/db/query/directory";
import { listLogChunks } from "@drover/db/query/log";
import { ensureNodeLogin } from "@drover/db/query/node-login";
import { submit } from "@drover/db/query/submit";
import { cancelTask, getTaskDetails } from "@drover/db/query/task";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import type { LlmCall } from "@drover/domain/workflow/llm-call";
import { type Agent, createAgent } from "../../agent.ts";
import { metrics as declarations } from "../../metric.ts";
import { createNodeSource } from "../../source.ts";
import { createLlmExecutor } from "./llm.ts";
import type { ProviderConfig } from "./provider-config.ts";
import { configOf, echoProvider, testCall, testKey } from "./testing-executor.ts";
import { type Behaviour, startTestProvider, type TestProvider } from "./testing-provider.ts";

let database: TestDatabase;
let db: Database;
let provider: TestProvider;
let behaviour: Behaviour = { kind: "answer" };
let nodes = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 4 });
  // A clone has the objects of its template, but not what was granted on the database itself.
  await db.run(sql.raw(readFileSync(join(import.meta.dirname, "../../../../../db/node/grant.sql"), "utf8")));
  provider = await startTestProvider(() => behaviour);
});
afterAll(async () => {
  await provider.stop();
  await db.close();
  await database.drop();
});

/** An agent with these providers, over a node's own login; everything that it logs is kept. */
async function setup(...providers: ProviderConfig[]) {
  const name = `caller-${(nodes += 1)}`;
  const url = new URL(database.url);
  url.username = await ensureNodeLogin(db, 1, name, "pass-word");
  url.password = "pass-word";
  const own = openDatabase({ url: url.href, maxConnections: 1 });
  let logged = "";
  const to = new Writable({
    write(chunk: Buffer, _, done) {
      logged += chunk.toString();
      done();
    },
  });
  const log = createLog({ app: "test", level: "trace", to });
  const metrics = createMetrics({ declarations });
  const executor = createLlmExecutor({ providers });
  const probe = await executor.probe();
  const slots = { llm: 2 };
  const source = createNodeSource({
    db: own,
    name,
    version: "test",
    facts: () => ({
      executors: ["llm"],
      taskTypes: providers.map((one) => one.name),
      slots,
      facts: probe.ready ? probe.facts : {},
    }),
    onHeld: (held) => agent.takeUp(held),
  });
  const agent: Agent = createAgent({
    source,
    executors: [executor],
    slots: () => slots,
    shipLogs: { append: (claim, chunk, lines) => appendLog(own, source, claim, chunk, lines), flushMs: 20 },
    graceSeconds: 1,
    metrics,
    onSuperseded: () => {},
    log,
  });
  await agent.start();
  return {
    agent,
    metrics,
    logged: () => logged,
    async stop() {
      await agent.stop("drain", AbortSignal.timeout(50));
      await own.close();
    },
  };
}

async function ask(call: Partial<LlmCall>, maxAttempts = 2): Promise<string> {
  const execution = { ...testCall, ...call };
  const queueId = await createDirectory({ db }).queueId({
    namespaceId: 1,
    className: "llm",
    executor: "llm",
    taskType: execution.provider,
  });
  const task = {
    queueId,
    payload: "null",
    execution: JSON.stringify(execution),
    retry: JSON.stringify({ maxAttempts }),
  };
  const [key = ""] = await submit(db, { namespaceId: 1, actor: "test" }, [task]);
  return key;
}

const taskOf = async (key: string) => (await getTaskDetails(db, 1, [key]))[0];
const logOf = async (key: string) =>
  (await listLogChunks(db, key, { attempt: -1, chunk: -1 }, 100)).flatMap(({ lines }) => lines);

describe("a call through an agent", () => {
  it("completes with the answer, its tokens in the task's log", async () => {
    const { stop } = await setup(echoProvider);
    const messages = [{ role: "user" as const, text: "Say this again." }];
    const key = await ask({ provider: "echo", model: "echo", messages, isLogged: true });
    await expect.poll(async () => (await taskOf(key))?.state).toBe("completed");
    expect((await taskOf(key))?.result).toMatchObject({ text: "Say this again.", usage: { outputTokens: 4 } });
    const lines = await logOf(key);
    expect(lines.flatMap(([stream, , text]) => (stream === "token" ? [text] : [])).join("")).toBe("Say this again.");
    expect(lines.flatMap(([stream, , text]) => (stream === "system" ? [text] : []))).toEqual(["user: Say this again."]);
    await stop();
  });

  it("waits as long as the provider says, after a 429", async () => {
    behaviour = { kind: "status", status: 429, headers: { "retry-after": "60" } };
    const { stop } = await setup(configOf("openai", provider.url));
    // A model of its own: all calls of one that refused are held back.
    const key = await ask({ provider: "openai", model: "busy-model" });
    await expect.poll(async () => (await taskOf(key))?.state).toBe("waiting");
    const untilMs = (await taskOf(key))?.waiting_until?.getTime() ?? 0;
    expect((untilMs - Date.now()) / 1000).toBeGreaterThan(50);
    expect((untilMs - Date.now()) / 1000).toBeLessThan(62);
    await cancelTask(db, key, "end of test", "test");
    await stop();
  });

  it("is left to a node that has its provider", async () => {
    behaviour = { kind: "answer" };
    const poor = await setup(echoProvider);
    const key = await ask({ provider: "anthropic" });
    // Claimed after it, and by the one who could not claim that: it was passed over.
    const mine = await ask({ provider: "echo", model: "echo" });
    await expect.poll(async () => (await taskOf(mine))?.state).toBe("completed");
    expect((await taskOf(key))?.state).toBe("pending");
    const rich = await setup(configOf("anthropic", provider.url));
    await expect.poll(async () => (await taskOf(key))?.state).toBe("completed");
    await Promise.all([poor.stop(), rich.stop()]);
  });

  it("is cut off when it is cancelled", async () => {
    behaviour = { kind: "hang" };
    const { stop } = await setup(configOf("google", provider.url));
    const key = await ask({ provider: "google" });
    const abandoned = provider.abandoned;
    await expect.poll(async () => (await logOf(key)).length).toBeGreaterThan(0);
    await cancelTask(db, key, "enough", "test");
    await expect.poll(async () => (await taskOf(key))?.state).toBe("cancelled");
    expect(provider.abandoned).toBe(abandoned + 1);
    await stop();
  });

  it("goes back to its queue when the agent is stopped before its end", async () => {
    behaviour = { kind: "hang" };
    const { stop } = await setup(configOf("google", provider.url));
    const key = await ask({ provider: "google" });
    await expect.poll(async () => (await logOf(key)).length).toBeGreaterThan(0);
    await stop();
    expect(await taskOf(key)).toMatchObject({ state: "pending", attempt: 0 });
    await cancelTask(db, key, "end of test", "test");
  });

  it("leaves the key nowhere: in no row, no line of a log, no metric, whatever the provider does with it", async () => {
    const { stop, logged, metrics } = await setup(configOf("openai", provider.url));
    const pieces = ["the key is ", testKey.slice(0, 9), testKey.slice(9), " they say"];
    const body = JSON.stringify({ error: { message: `no such key: ${testKey}`, type: testKey, code: testKey } });
    for (const next of [
      { kind: "answer", pieces, model: testKey },
      { kind: "status", status: 500, body },
      { kind: "status", status: 401, body },
      { kind: "status", status: 400, body, headers: { "retry-after": testKey } },
    ] satisfies Behaviour[]) {
      behaviour = next;
      const key = await ask({ provider: "openai", isLogged: true }, 1);
      await expect.poll(async () => (await taskOf(key))?.state).toMatch(/completed|failed/);
    }
    await stop();
    expect(provider.requests.at(-1)?.headers.authorization).toContain(testKey);
    const secret = testKey.slice(8);
    expect(await everything()).toContain("the key is [redacted]");
    expect(await everything()).not.toContain(secret);
    expect(logged()).toContain("attempt ended");
    expect(logged()).not.toContain(secret);
    expect(await metrics.expose()).not.toContain(secret);
  });
});

/** Every row of every table, as one text. */
async function everything(): Promise<string> {
  const tables = await db.run<{ name: string }>(sql`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'drover'`);
  const rows = await Promise.all(
    tables.map(({ name }) => db.run<{ row: string }>(sql.raw(`select to_jsonb(t)::text as row from ${name} t`))),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join("\n");
}
