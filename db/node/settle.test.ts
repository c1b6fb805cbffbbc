import {
  completeRetryPolicy,
  decideLoss,
  decideRetry,
  neverRetried,
  retryDelayMs,
  retryStrategies,
} from "@drover/domain/retry";
import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getTasks, listAttempts, type TaskRow } from "../query/task.ts";
import { listLogChunks } from "../query/log.ts";
import { openTestQueue, type TestHolder, type TestQueue } from "../testing-queue.ts";
import { appendLog, complete, fail, type Failure } from "./settle.ts";
import { claim } from "./sync.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

/** A worker with one claimed task of a type of its own. */
async function running(taskType: string, parts: { retry?: unknown } = {}) {
  const queueId = await house.queue({ taskType });
  const retry = parts.retry === undefined ? undefined : JSON.stringify(parts.retry);
  const [key = ""] = await house.submit([{ queueId, retry }]);
  const worker = await house.worker(taskType, { taskTypes: [taskType] });
  const { fence } = await house.claimOne(worker);
  return { queueId, key, worker, fence, claim: { taskKey: key, fence } };
}

async function look(key: string): Promise<TaskRow> {
  const [row] = await getTasks(house.db, house.context.namespaceId, [key]);
  if (row === undefined) throw new Error(`expected a task ${key}`);
  return row;
}

const failure = (taskKey: string, fence: string, parts: Partial<Failure> = {}): Failure => ({
  taskKey,
  fence,
  class: "error",
  message: "it broke",
  ...parts,
});

async function takeBack(claims: { taskKey: string; fence: string }[], errorClass = "lease_expired"): Promise<number> {
  const [row] = await house.db.run<{ taken: number }>(sql`
    select drover.take_back(${sql.param(claims.map((one) => one.taskKey))}::bigint[],
      ${sql.param(claims.map((one) => one.fence))}::bigint[], ${errorClass}, 'taken by the test') as taken`);
  return row?.taken ?? 0;
}

describe("complete", () => {
  it("stores the results of a batch and answers what was stale", async () => {
    const queueId = await house.queue({ taskType: "batched" });
    const keys = await house.submit([{ queueId }, { queueId }, { queueId }]);
    const worker = await house.worker("batched", { taskTypes: ["batched"] });
    const claims = (await claim(house.db, worker, 3)).map((one) => ({ taskKey: one.task_id, fence: one.fence }));
    const [first, second, third] = claims;
    if (first === undefined || second === undefined || third === undefined) throw new Error("expected three claims");
    const wrong = { taskKey: second.taskKey, fence: String(BigInt(third.fence) + 1000n) };
    expect(await complete(house.db, worker, [{ ...first, result: '{"n":1.0}' }, wrong, third])).toEqual([
      second.taskKey,
    ]);
    expect((await Promise.all(keys.map(look))).map((row) => row.state)).toEqual(["completed", "running", "completed"]);
    const [stored] = await house.db.run<{ result: string }>(
      sql`select result::text from drover.task_final where task_id = ${first.taskKey}`,
    );
    expect(stored?.result).toBe('{"n":1.0}');
  });

  it("changes nothing the second time", async () => {
    const { key, worker, claim: held } = await running("repeated");
    expect(await complete(house.db, worker, [{ ...held, result: "1" }])).toEqual([]);
    const before = await house.count("event");
    expect(await complete(house.db, worker, [{ ...held, result: "2" }])).toEqual([key]);
    expect(await house.count("event")).toBe(before);
  });

  it("is refused to another holder that knows the fence", async () => {
    const { key, claim: held } = await running("guarded");
    const other = await house.worker("thief");
    expect(await complete(house.db, other, [held])).toEqual([key]);
    expect(await fail(house.db, other, [failure(held.taskKey, held.fence)])).toEqual([key]);
    expect((await look(key)).state).toBe("running");
  });

  it("takes the result of the current fence when a batch holds a stale one of the same task too", async () => {
    const { key, worker, claim: stale } = await running("doubled");
    expect(await takeBack([stale], "released")).toBe(1);
    const { fence } = await house.claimOne(worker);
    const answer = await complete(house.db, worker, [
      { ...stale, result: '"old"' },
      { taskKey: key, fence, result: '"new"' },
    ]);
    expect(answer).toEqual([]);
    const [stored] = await house.db.run<{ result: string }>(
      sql`select result from drover.task_final where task_id = ${key}`,
    );
    expect(stored?.result).toBe("new");
  });

  it("wins over a cancel that was asked for but not yet confirmed", async () => {
    const { key, worker, claim: held } = await running("too-late");
    await house.db.run(sql`select drover.cancel_task(${key}, 'stop', 'test')`);
    expect(await complete(house.db, worker, [held])).toEqual([]);
    expect((await look(key)).state).toBe("completed");
  });
});

describe("drover.retry_delay_ms", () => {
  it("is the twin of the domain's retryDelayMs", async () => {
    const questions = fc.sample(
      fc.record({
        baseDelayMs: fc.integer({ min: 0, max: 86_400_000 }),
        maxDelayMs: fc.integer({ min: 0, max: 2_147_483_647 }),
        strategy: fc.constantFrom(...retryStrategies),
        // Powers of these are exact as far as the ceiling reaches: the last bit of others is the library's own.
        factor: fc.constantFrom(1, 1.5, 2, 3, 10),
        failures: fc.integer({ min: 1, max: 200 }),
        jitter: fc.integer({ min: 0, max: 2 ** 32 }).map((n) => n / 2 ** 32),
      }),
      2000,
    );
    const answers = await house.db.run<{ ms: string }>(sql`
      select drover.retry_delay_ms(q.strategy, q.base, q.max, q.factor, q.failures, q.jitter) as ms
        from unnest(${sql.param(questions.map((q) => q.strategy))}::text[],
          ${sql.param(questions.map((q) => String(q.baseDelayMs)))}::bigint[],
          ${sql.param(questions.map((q) => String(q.maxDelayMs)))}::bigint[],
          ${sql.param(questions.map((q) => q.factor))}::double precision[],
          ${sql.param(questions.map((q) => q.failures))}::integer[],
          ${sql.param(questions.map((q) => q.jitter))}::double precision[])
          with ordinality as q (strategy, base, max, factor, failures, jitter, n)
       order by q.n`);
    expect(answers.map((row) => Number(row.ms))).toEqual(questions.map((q) => retryDelayMs(q, q.failures, q.jitter)));
  });
});

describe("fail", () => {
  it("retries after a delay within the policy's bounds and keeps the attempt", async () => {
    const { key, worker, fence } = await running("flaky", { retry: { baseDelayMs: 40_000 } });
    expect(await fail(house.db, worker, [failure(key, fence)])).toEqual([]);
    const row = await look(key);
    expect(row).toMatchObject({ state: "waiting", waiting_reason: "retrying", attempt: 1 });
    const delay = Number(row.waiting_until) - Date.now();
    expect(delay).toBeGreaterThan(15_000);
    expect(delay).toBeLessThanOrEqual(40_000);
    expect(await listAttempts(house.db, key)).toMatchObject([
      { attempt: 1, outcome: "failed", holder: "flaky", error: { class: "error", message: "it broke" } },
    ]);
  });

  it("waits exactly as long as the holder says", async () => {
    const { key, worker, fence } = await running("told", { retry: { baseDelayMs: 1 } });
    await fail(house.db, worker, [failure(key, fence, { retryAfterMs: 500_000 })]);
    const delay = Number((await look(key)).waiting_until) - Date.now();
    expect(delay).toBeGreaterThan(490_000);
    expect(delay).toBeLessThanOrEqual(500_100);
  });

  it("decides like the domain, for every error class, policy and count of failures", async () => {
    const classes = ["error", "timeout", "oom", ...neverRetried.filter((one) => one !== "cancelled")];
    const cases = classes.flatMap((errorClass) =>
      [1, 2, 3].flatMap((maxAttempts) =>
        [{}, { noRetryOn: ["oom"] }, { retryOn: ["timeout", "oom"] }].map((rest) => ({
          errorClass,
          maxAttempts,
          rest,
        })),
      ),
    );
    const queueId = await house.queue({ taskType: "decided" });
    const worker = await house.worker("decided", { taskTypes: ["decided"] });
    const keys = await house.submit(
      cases.map(({ maxAttempts, rest }) => ({
        queueId,
        retry: JSON.stringify({ maxAttempts, baseDelayMs: 0, ...rest }),
      })),
    );
    for (let failures = 1; failures <= 3; failures += 1) {
      const claims = new Map((await claim(house.db, worker, 1000)).map((one) => [one.task_id, one.fence]));
      await fail(
        house.db,
        worker,
        cases.flatMap(({ errorClass }, n) => {
          const key = keys[n] ?? "";
          const fence = claims.get(key);
          return fence === undefined ? [] : [failure(key, fence, { class: errorClass })];
        }),
      );
      for (const [n, { errorClass, maxAttempts, rest }] of cases.entries()) {
        const key = keys[n] ?? "";
        if (!claims.has(key)) continue;
        const policy = completeRetryPolicy({ maxAttempts, baseDelayMs: 0, ...rest });
        const verdict = decideRetry({ policy, failures, errorClass, jitter: 0.5 });
        expect((await look(key)).state, JSON.stringify(cases[n])).toBe(verdict.retry ? "waiting" : "failed");
      }
    }
  });

  it("does not count a task that was handed back", async () => {
    const { key, worker, fence } = await running("returned");
    await fail(house.db, worker, [failure(key, fence, { class: "released" })]);
    expect(await look(key)).toMatchObject({ state: "pending" });
    expect(await house.claimOne(worker)).toMatchObject({ task_id: key, attempt: 1 });
    expect(await listAttempts(house.db, key)).toMatchObject([{ outcome: "released" }]);
  });

  it("ends a task that was asked to stop as cancelled, with the reason that was given", async () => {
    const { key, worker, fence } = await running("stopped");
    await house.db.run(sql`select drover.cancel_task(${key}, 'no longer wanted', 'test')`);
    await fail(house.db, worker, [failure(key, fence, { class: "killed", message: "exit 137" })]);
    expect(await look(key)).toMatchObject({
      state: "cancelled",
      error: { class: "cancelled", message: "no longer wanted" },
    });
  });

  it("settles the rest of a batch whose first item was stale, and every item of a task only once", async () => {
    const { key, worker, fence } = await running("mixed", { retry: { maxAttempts: 1 } });
    const answer = await fail(house.db, worker, [
      failure(key, "1"),
      failure(key, fence, { result: '{"partial":true}' }),
      failure(key, fence),
    ]);
    expect(answer).toEqual([key, key]);
    expect((await look(key)).state).toBe("failed");
  });

  it.each([
    ["an attempt limit beyond an integer", { maxAttempts: 1e12 }],
    ["a delay beyond every calendar", { baseDelayMs: 1e300, maxDelayMs: 1e300 }],
  ])("settles a task that was stored with %s", async (what, retry) => {
    const { key, worker, fence } = await running(what.replaceAll(" ", "-"), { retry });
    expect(await fail(house.db, worker, [failure(key, fence)])).toEqual([]);
    expect((await look(key)).state).toBe("waiting");
  });

  it("bounds the delay that a holder asks for", async () => {
    const { key, worker, fence } = await running("absurd");
    expect(await fail(house.db, worker, [failure(key, fence, { retryAfterMs: 9e17 })])).toEqual([]);
    expect((await look(key)).state).toBe("waiting");
  });
});

describe("a lost lease", () => {
  it("goes back into the queue and counts as a loss, not as a failure", async () => {
    const { key, worker, claim: held } = await running("lost", { retry: { maxAttempts: 1 } });
    expect(await takeBack([held])).toBe(1);
    expect(await look(key)).toMatchObject({ state: "pending" });
    expect(await complete(house.db, worker, [held])).toEqual([key]);
    expect(await house.claimOne(worker)).toMatchObject({ task_id: key, attempt: 2 });
    expect(await listAttempts(house.db, key)).toMatchObject([{ outcome: "lost", error: { class: "lease_expired" } }]);
  });

  it("is cancelled instead when someone asked for that", async () => {
    const { key, claim: held } = await running("lost-and-cancelled");
    await house.db.run(sql`select drover.cancel_task(${key}, 'enough', 'test')`);
    await takeBack([held]);
    expect((await look(key)).state).toBe("cancelled");
  });

  it("is given to the domain's decideLoss: quarantine after three on two holders, after ten anywhere", async () => {
    for (const holders of [1, 2, 3]) {
      const taskType = `poison-${holders}`;
      const queueId = await house.queue({ taskType });
      const [key = ""] = await house.submit([{ queueId }]);
      const workers = await Promise.all(
        Array.from({ length: holders }, (_, n) => house.worker(`${taskType}-${n}`, { taskTypes: [taskType] })),
      );
      const seen = new Set<number>();
      for (let losses = 1; ; losses += 1) {
        const worker = workers[losses % holders] as TestHolder;
        seen.add(worker.holderId);
        const { task_id, fence } = await house.claimOne(worker);
        await takeBack([{ taskKey: task_id, fence }]);
        const verdict = decideLoss({ losses, distinctHolders: seen.size });
        const { state, error } = await look(key);
        expect(state, `${losses} losses on ${seen.size} holders`).toBe(verdict === "quarantine" ? "failed" : "pending");
        if (state !== "failed") continue;
        expect(error?.class).toBe("quarantined");
        break;
      }
      // A redrive starts a new count.
      await house.db.run(sql`select drover.redrive_task(${key}, 'test')`);
      const again = await house.claimOne(workers[0] as TestHolder);
      await takeBack([{ taskKey: again.task_id, fence: again.fence }]);
      expect((await look(key)).state).toBe("pending");
    }
  });
});

describe("appendLog", () => {
  it("stores chunks of a held claim and says the same when one is sent twice", async () => {
    const { key, worker, claim: held } = await running("talkative");
    const lines: [string, number, string][] = [["stdout", 1, `"quoted" \\ 👍`]];
    expect(await appendLog(house.db, worker, held, 1, lines)).toBe(true);
    expect(await appendLog(house.db, worker, held, 1, lines)).toBe(true);
    expect(await listLogChunks(house.db, key, { attempt: 0, chunk: 0 }, 10)).toEqual([{ attempt: 1, chunk: 1, lines }]);
    await complete(house.db, worker, [held]);
    expect(await appendLog(house.db, worker, held, 2, lines)).toBe(false);
  });
});
