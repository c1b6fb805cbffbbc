import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { type Database, openDatabase } from "@drover/db/client";
import { createWakeups } from "@drover/db/listen";
import { getTasks } from "@drover/db/query/task";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { createWaker } from "@drover/db/wake";
import type { Json } from "@drover/domain/json";
import { parseTaskKey } from "@drover/domain/task-id";
import { createDirectSource } from "./direct.ts";
import { createSubmitter } from "./submit.ts";
import { createWorker, type Handler, TaskFailure } from "./worker.ts";

const log = createLog({ app: "test", level: "silent" });
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 6 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

let names = 0;

function setup(
  handlers: Record<string, Handler>,
  options: { concurrency?: number; prefetch?: number; name?: string } = {},
) {
  const name = options.name ?? `worker-${(names += 1)}`;
  const source = createDirectSource({ db, name, types: Object.keys(handlers) });
  const worker = createWorker({
    source,
    handlers,
    log,
    concurrency: options.concurrency ?? 4,
    prefetch: options.prefetch ?? 0,
  });
  return { name, source, worker, submitter: createSubmitter({ db }) };
}

const stateOf = async (id: string) => {
  const [task] = await getTasks(db, 1, [String(parseTaskKey(id))]);
  return task?.state;
};
const resultOf = async (id: string) => {
  const [row] = await db.run<{ result: Json }>(
    sql`select result from drover.task_final where task_id = ${String(parseTaskKey(id))}`,
  );
  return row?.result;
};

describe("worker", () => {
  it("runs handlers by type and stores what they return", async () => {
    const { worker, submitter } = setup({
      double: (payload) => ({ value: Number(payload) * 2 }),
      nothing: () => undefined,
    });
    const [doubled = "", none = ""] = await submitter.submitAll([{ type: "double", payload: 21 }, { type: "nothing" }]);
    await worker.start();
    await expect.poll(() => Promise.all([stateOf(doubled), stateOf(none)])).toEqual(["completed", "completed"]);
    expect(await resultOf(doubled)).toEqual({ value: 42 });
    expect(await resultOf(none)).toBeNull();
    await worker.stop();
  });

  it("retries what throws by the task's policy, and keeps the error's class", async () => {
    const attempts: number[] = [];
    const { worker, submitter } = setup({
      flaky: (_, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new TaskFailure("flaked", "not yet", { retryAfterMs: 0 });
        return "done";
      },
      hopeless: () => {
        throw new TaskFailure("hopeless", "never", { details: { because: "of that" } });
      },
    });
    const flaky = await submitter.submit({ type: "flaky" });
    const hopeless = await submitter.submit({ type: "hopeless", retry: { noRetryOn: ["hopeless"] } });
    await worker.start();
    await expect.poll(() => stateOf(flaky), { timeout: 8000 }).toBe("completed");
    await expect.poll(() => stateOf(hopeless)).toBe("failed");
    expect(attempts).toEqual([1, 2, 3]);
    const [row] = await db.run<{ error: Json }>(
      sql`select error from drover.task_final where task_id = ${String(parseTaskKey(hopeless))}`,
    );
    expect(row?.error).toEqual({ class: "hopeless", message: "never", details: { because: "of that" } });
    await worker.stop();
  });

  it("stops a handler whose time is over", async () => {
    const { worker, submitter } = setup({
      slow: (_, { signal }) =>
        new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    const id = await submitter.submit({ type: "slow", timeoutSeconds: 1, retry: { maxAttempts: 1 } });
    await worker.start();
    await expect.poll(() => stateOf(id), { timeout: 5000 }).toBe("failed");
    await worker.stop();
  });

  it("hands back what has not begun when it stops, without counting an attempt", async () => {
    let open = () => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    let begun = 0;
    const { worker, submitter } = setup(
      {
        held: async () => {
          begun += 1;
          await door;
        },
      },
      { concurrency: 1, prefetch: 10 },
    );
    const ids = await submitter.submitAll(Array.from({ length: 5 }, () => ({ type: "held" })));
    await worker.start();
    await expect.poll(() => worker.inHand).toBe(5);
    const stopped = worker.stop();
    open();
    await stopped;
    expect(begun).toBe(1);
    const states = await Promise.all(ids.map(stateOf));
    expect(states.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual([
      "completed",
      "pending",
      "pending",
      "pending",
      "pending",
    ]);
    const rows = await getTasks(
      db,
      1,
      ids.map((id) => String(parseTaskKey(id))),
    );
    expect(rows.filter((row) => row.state === "pending").map((row) => row.attempt)).toEqual([0, 0, 0, 0]);
  });

  it("is fenced off by another worker of its name, and its late result is dropped", async () => {
    let open = () => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    const first = setup({ contested: async () => void (await door) }, { name: "twin" });
    const id = await first.submitter.submit({ type: "contested" });
    await first.worker.start();
    await expect.poll(() => stateOf(id)).toBe("running");
    let wins = 0;
    const second = setup({ contested: () => ({ winner: (wins += 1) }) }, { name: "twin" });
    await second.worker.start();
    await expect.poll(() => stateOf(id)).toBe("completed");
    open();
    await first.worker.stop(AbortSignal.timeout(100));
    expect(await resultOf(id)).toEqual({ winner: 1 });
    await second.worker.stop();
  });

  it("hands back claims whose answer was lost", async () => {
    const { source, worker, submitter } = setup({ lossy: () => "ok" });
    const poll = source.poll;
    let isLost = false;
    source.poll = async (free) => {
      const answer = await poll(free);
      if (!isLost && answer.status === "ok" && answer.claims.length > 0) {
        isLost = true;
        throw new Error("the connection broke after the commit");
      }
      return answer;
    };
    const id = await submitter.submit({ type: "lossy" });
    await worker.start();
    await expect.poll(() => stateOf(id), { timeout: 8000 }).toBe("completed");
    expect(isLost).toBe(true);
    await worker.stop();
  });

  it("starts at a hint, long before the next poll", async () => {
    const wakeups = createWakeups({ url: database.url });
    await wakeups.start();
    const name = `worker-${(names += 1)}`;
    const started: number[] = [];
    const source = createDirectSource({ db, wakeups, name, types: ["hinted"] });
    const worker = createWorker({ source, handlers: { hinted: () => void started.push(performance.now()) }, log });
    await worker.start();
    const submitter = createSubmitter({ db, waker: createWaker({ db }) });
    // The first poll finds nothing, and the next one is 5 s away.
    await submitter.submit({ type: "hinted" });
    await expect.poll(() => started.length, { timeout: 2000 }).toBe(1);
    const at = performance.now();
    await submitter.submit({ type: "hinted" });
    await expect.poll(() => started.length, { timeout: 2000 }).toBe(2);
    expect((started[1] ?? 0) - at).toBeLessThan(1000);
    await worker.stop();
    await wakeups.stop();
  });
});
