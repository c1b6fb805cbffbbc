import { sql } from "drizzle-orm";
import { register, type HeldClaim } from "./node/register.ts";
import { complete, fail, type Failure } from "./node/settle.ts";
import { sync } from "./node/sync.ts";
import { ensureQueue } from "./query/queue.ts";
import { openTestQueue, type TestHolder, type TestQueue } from "./testing-queue.ts";

/** What a test says of a call; the rest is filled in. */
export interface TestCall {
  /** Else llm-test. */
  provider?: string;
  model?: string;
  inputTokens?: number;
  /** Null: the grant says. */
  maxOutputTokens?: number | null;
  charge?: { workflow?: string; rootRunId?: string; runId?: string; step?: string };
}

/** A test queue with what tests of limits and budgets do again and again. */
export interface TestLedger extends TestQueue {
  /** A node that makes calls of every provider. */
  caller(name: string, slots?: number): Promise<TestHolder>;
  call(...calls: TestCall[]): Promise<string[]>;
  claimCalls(holder: TestHolder, slots?: number): Promise<HeldClaim[]>;
  answer(holder: TestHolder, claims: readonly HeldClaim[], inputTokens: number, outputTokens: number): Promise<void>;
  refuse(holder: TestHolder, claim: HeldClaim, failure: Partial<Failure> & { class: string }): Promise<void>;
  /** A limit of every call of provider `llm-test`. */
  limit(
    name: string,
    metric: "requests" | "tokens" | "concurrent",
    allowance: number,
    windowSeconds?: number | null,
  ): Promise<void>;
  /** A budget of the namespace. */
  budget(name: string, limitNanos: number, options?: { period?: string; whenExceeded?: string }): Promise<void>;
  /** Counters that the ledger contradicts. */
  differences(): Promise<unknown[]>;
  place(key: string): Promise<{ place: string; blocker: string | null; until_at: Date | null; error: unknown }>;
  /** Forgets limits, budgets and tasks. */
  clear(): Promise<void>;
}

/** Costs 0.01 USD for 1,000 tokens of input and 0.03 USD for 1,000 of output, like every unknown model. */
export const testModel = "some-model";

/** Clones the migrated database and opens it. */
export async function openTestLedger(): Promise<TestLedger> {
  const house = await openTestQueue();
  const { db, context } = house;
  const [row] = await db.run<{ id: number }>(sql`select id from drover.class where name = 'llm'`);
  const queueOf = (provider: string) =>
    ensureQueue(db, {
      namespaceId: context.namespaceId,
      classId: row?.id ?? 0,
      executor: "llm",
      taskType: provider,
    });
  return {
    ...house,
    caller: (name, slots = 100) =>
      register(db, {
        kind: "node",
        name,
        namespace: "default",
        executors: ["llm"],
        taskTypes: ["*"],
        classes: null,
        slots: { llm: slots },
        facts: {},
        version: "test",
      }),
    async call(...calls) {
      const tasks = calls.map(
        async ({ provider = "llm-test", model = testModel, inputTokens = 5, maxOutputTokens = 5, charge = {} }) => ({
          queueId: await queueOf(provider),
          execution: JSON.stringify({
            provider,
            model,
            messages: [],
            inputTokens,
            ...(maxOutputTokens !== null && { maxOutputTokens }),
            charge,
          }),
        }),
      );
      return house.submit(await Promise.all(tasks));
    },
    async claimCalls(holder, slots = 100) {
      const answer = await sync(db, holder, { llm: slots }, false);
      if (answer.status !== "ok") throw new Error(`expected a sync that is ok, got ${answer.status}`);
      return answer.claims;
    },
    async answer(holder, claims, inputTokens, outputTokens) {
      const result = JSON.stringify({ text: "", usage: { inputTokens, outputTokens } });
      const stale = await complete(
        db,
        holder,
        claims.map((claim) => ({ taskKey: claim.task_id, fence: claim.fence, result })),
      );
      if (stale.length > 0) throw new Error(`expected current claims, got stale ones: ${stale.join(", ")}`);
    },
    async refuse(holder, claim, failure) {
      await fail(db, holder, [{ taskKey: claim.task_id, fence: claim.fence, message: "test", ...failure }]);
    },
    async limit(name, metric, allowance, windowSeconds = metric === "concurrent" ? null : 60) {
      await db.run(sql`
        select drover.set_limit(${name}, 'llm-test', null, null, null, ${metric}, ${windowSeconds}::integer, ${allowance}::bigint, 'test')`);
    },
    async budget(name, limitNanos, { period = "none", whenExceeded = "fail" } = {}) {
      await db.run(sql`
        select drover.set_budget(${context.namespaceId}, ${name}, 'namespace', null, null, null, ${period}, ${limitNanos}::bigint, '{50,100}',
          ${whenExceeded}, 'test')`);
    },
    differences: () => db.run(sql`select * from drover.verify_ledger()`),
    async place(key) {
      const [found] = await db.run<{
        place: string;
        blocker: string | null;
        until_at: Date | null;
        error: unknown;
      }>(sql`
        select case when f.state is not null then f.state when l.task_id is not null then 'running'
                    when w.reason is not null then w.reason else 'pending' end as place,
               w.blocker, w.until_at, f.error
          from drover.task t
          left join drover.task_final f on f.task_id = t.id
          left join drover.task_lease l on l.task_id = t.id
          left join drover.task_waiting w on w.task_id = t.id
         where t.id = ${key}::bigint`);
      if (found === undefined) throw new Error(`expected task ${key}, got none`);
      return found;
    },
    async clear() {
      await db.run(sql`delete from drover.task_ready`);
      await db.run(sql`delete from drover.task_waiting`);
      await db.run(sql`delete from drover.task_lease where call_id is null`);
      await db.run(sql`delete from drover.rate_limit`);
      await db.run(sql`delete from drover.budget`);
      await db.run(sql`delete from drover.provider_pause`);
    },
  };
}
