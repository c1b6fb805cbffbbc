import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../client.ts";
import { cancelTask } from "../query/task.ts";
import { sweep } from "../query/control.ts";
import { openTestLedger, type TestLedger } from "../testing-ledger.ts";
import type { HeldClaim } from "./register.ts";
import { complete, fail } from "./settle.ts";
import { sync } from "./sync.ts";

let house: TestLedger;
beforeAll(async () => {
  house = await openTestLedger();
});
afterAll(() => house.close());
beforeEach(() => house.clear());

describe("eight processes and 100 calls at once", () => {
  it("never use more than 100 tokens in any window, and leave no call behind", { timeout: 60_000 }, async () => {
    const windowSeconds = 1;
    await house.limit("tight", "tokens", 100, windowSeconds);
    await house.limit("rpm", "requests", 1000, windowSeconds);
    await house.budget("money", 1_000_000_000);
    // 10 tokens each are reserved and 6 used: 16 calls fit into a second, 100 need six.
    const keys = await house.call(...Array.from({ length: 100 }, () => ({})));
    const processes = await Promise.all(
      Array.from({ length: 8 }, async (_, n) => ({
        db: openDatabase({ url: house.url, maxConnections: 2 }),
        holder: await house.caller(`process-${n}`),
      })),
    );
    let left = keys.length;
    const work = async ({ db, holder }: (typeof processes)[number]) => {
      while (left > 0) {
        const answer = await sync(db, holder, { llm: 4 }, false);
        if (answer.status !== "ok") throw new Error(answer.status);
        for (const claim of answer.claims) {
          const result = JSON.stringify({ usage: { inputTokens: 4, outputTokens: 2 } });
          await complete(db, holder, [{ taskKey: claim.task_id, fence: claim.fence, result }]);
          left -= 1;
        }
        if (answer.claims.length === 0) await house.db.run(sql`select pg_sleep(0.02)`);
      }
    };
    await Promise.all(processes.map(work));
    await Promise.all(processes.map(({ db }) => db.close({ timeoutSeconds: 1 })));
    // Every stretch as long as the window that ends with a settlement, by the ledger's own times.
    const [worst] = await house.db.run<{ tokens: string; calls: string; cost: string }>(sql`
      select max(w.tokens) as tokens, max(w.calls) as calls, max(w.cost) as cost
        from (select sum(e.input_tokens + e.output_tokens) over recent as tokens, count(*) over () as calls,
                     sum(e.cost_nanos) over () as cost
                from drover.ledger e
               where e.kind = 'settle' and e.task_id = any (${sql.param(keys)}::bigint[])
              window recent as (order by e.at range between interval '1 second' preceding and current row)) w`);
    expect(Number(worst?.tokens)).toBeLessThanOrEqual(100);
    expect(Number(worst?.tokens)).toBeGreaterThan(80);
    expect(worst?.calls).toBe("100");
    expect(worst?.cost).toBe(String(100 * (4 * 10_000 + 2 * 30_000)));
    expect(await house.differences()).toEqual([]);
  });

  it("refuse none that fits once earlier ones have settled", { timeout: 60_000 }, async () => {
    await house.limit("tpm", "tokens", 100, 3600);
    const holders = await Promise.all(Array.from({ length: 8 }, (_, n) => house.caller(`fit-${n}`)));
    // 100 calls reserve 1,000 tokens and use 100 in all.
    const keys = await house.call(...Array.from({ length: 100 }, () => ({})));
    await Promise.all(
      holders.map(async (holder) => {
        for (;;) {
          const claims = await house.claimCalls(holder, 3);
          for (const claim of claims) await house.answer(holder, [claim], 1, 0);
          const [open] = await house.db.run<{ count: string }>(sql`
            select count(*) as count from drover.task_ready`);
          const [running] = await house.db.run<{ count: string }>(sql`
            select count(*) as count from drover.task_lease where task_id = any (${sql.param(keys)}::bigint[])`);
          if (claims.length === 0 && open?.count === "0" && running?.count === "0") return;
        }
      }),
    );
    // The last ones that need ten no longer fit beside what was used: 91 of 100 have.
    const [done] = await house.db.run<{ count: string }>(sql`
      select count(*) as count from drover.task_final where state = 'completed' and task_id = any (${sql.param(keys)}::bigint[])`);
    expect(done?.count).toBe("91");
    expect(await house.differences()).toEqual([]);
  });
});

describe("the counters", () => {
  const verbs = ["call", "call", "claim", "claim", "complete", "complete", "fail", "limited", "release", "lose", "cancel", "sweep", "raise"] as const; // prettier-ignore
  const step = fc.record({ verb: fc.constantFrom(...verbs), pick: fc.nat(1000) });

  it("are what the ledger says after anything that can happen to calls", { timeout: 120_000 }, async () => {
    let worlds = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        await house.clear();
        const world = `world-${worlds++}`;
        await house.limit("tokens", "tokens", 200, 2);
        await house.limit("requests", "requests", 20, 5);
        await house.limit("slots", "concurrent", 5);
        await house.budget("money", 3_000_000);
        let holder = await house.caller(world);
        let claims: HeldClaim[] = [];
        const keys: string[] = [];
        for (const { verb, pick } of steps) {
          const claim = claims[pick % Math.max(1, claims.length)];
          const drop = () => (claims = claims.filter((one) => one !== claim));
          if (verb === "call")
            keys.push(
              ...(await house.call({}, { inputTokens: pick % 60, maxOutputTokens: pick % 3 === 0 ? null : pick % 50 })),
            );
          else if (verb === "claim") claims.push(...(await house.claimCalls(holder, 1 + (pick % 4))));
          else if (verb === "lose") {
            await house.db.run(sql`delete from drover.holder_lease where holder_id = ${holder.holderId}`);
            await sweep(house.db);
            holder = await house.caller(world);
            claims = [];
          } else if (verb === "sweep") await sweep(house.db);
          else if (verb === "raise") await house.limit("tokens", "tokens", 100 + (pick % 200), 2);
          else if (verb === "cancel" && keys.length > 0)
            await cancelTask(house.db, keys[pick % keys.length] ?? "", "test", "test");
          else if (claim !== undefined && verb === "complete") {
            drop();
            // Usage beyond the reservation, none at all, and none that can be read.
            const usage = [{ inputTokens: pick % 90, outputTokens: 3 }, undefined, { inputTokens: -1, outputTokens: "x" }][pick % 3]; // prettier-ignore
            const result = JSON.stringify({ usage });
            await complete(house.db, holder, [{ taskKey: claim.task_id, fence: claim.fence, result }]);
          } else if (claim !== undefined) {
            drop();
            const details = pick % 2 === 0 ? JSON.stringify({ usage: { inputTokens: 2, outputTokens: 1 } }) : undefined;
            const word = verb === "limited" ? "rate_limited" : verb === "release" ? "released" : "provider_unavailable";
            await house.refuse(holder, claim, { class: word, retryAfterMs: 1, ...(details && { details }) });
          }
          expect(await house.differences()).toEqual([]);
        }
        const below = await house.db.run(
          sql`select name from drover.rate_limit where held < 0 union all select name from drover.budget where held_nanos < 0`,
        );
        expect(below).toEqual([]);
        await house.db.run(sql`delete from drover.holder_lease where holder_id = ${holder.holderId}`);
        await sweep(house.db);
        const held = await house.db.run(
          sql`select name from drover.rate_limit where held <> 0 union all select name from drover.budget where held_nanos <> 0`,
        );
        expect(held).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });
});

describe("calls of many providers under limits that overlap", () => {
  it("never wait for each other in a circle", { timeout: 60_000 }, async () => {
    const all = ["one", "two", "three"];
    for (const [n, provider] of all.entries()) {
      await house.db.run(
        sql`select drover.set_limit(${`of-${provider}`}, ${provider}, null, null, null, 'tokens', 1, ${100 + n * 50}::bigint, 'test')`,
      );
    }
    await house.db.run(sql`select drover.set_limit('of-all', null, null, null, null, 'concurrent', null, 12, 'test')`);
    await house.db.run(sql`select drover.set_limit('of-model', null, 'm*', null, null, 'requests', 1, 40, 'test')`);
    await house.budget("money", 500_000_000);
    const keys = await house.call(
      ...Array.from({ length: 300 }, (_, n) => ({
        provider: all[n % 3] ?? "",
        model: n % 2 === 0 ? "m1" : "n1",
        maxOutputTokens: n % 5 === 0 ? null : 5,
      })),
    );
    const databases = Array.from({ length: 6 }, () => openDatabase({ url: house.url, maxConnections: 1 }));
    const count = async () => {
      const [row] = await house.db.run<{ count: string }>(
        sql`select count(*) as count from drover.task_final where task_id = any (${sql.param(keys)}::bigint[])`,
      );
      return Number(row?.count);
    };
    let isDone = false;
    await Promise.all([
      ...databases.map(async (db, n) => {
        const holder = await house.caller(`circle-${n}`);
        for (let turn = 0; !isDone; turn++) {
          const answer = await sync(db, holder, { llm: 6 }, false);
          if (answer.status !== "ok") throw new Error(answer.status);
          const [first, second, ...rest] = answer.claims;
          const result = JSON.stringify({ usage: { inputTokens: 3, outputTokens: 2 } });
          await complete(
            db,
            holder,
            rest.map((claim) => ({ taskKey: claim.task_id, fence: claim.fence, result })),
          );
          const failures = [first, second].flatMap((claim, m) =>
            claim === undefined
              ? []
              : [
                  {
                    taskKey: claim.task_id,
                    fence: claim.fence,
                    class: (turn + m) % 2 === 0 ? "released" : "content_filtered",
                    message: "test",
                  },
                ],
          );
          await fail(db, holder, failures);
          isDone ||= (await count()) === keys.length;
        }
      }),
      (async () => {
        while (!isDone) {
          await sweep(house.db);
          await house.db.run(
            sql`select drover.set_limit('passing', null, null, null, null, 'concurrent', null, 3, 'test')`,
          );
          await house.db.run(sql`select drover.delete_limit('passing', 'test')`);
        }
      })(),
    ]);
    await Promise.all(databases.map((db) => db.close({ timeoutSeconds: 1 })));
    expect(await house.differences()).toEqual([]);
    expect(await count()).toBe(300);
  });
});

describe("the ledger", () => {
  it("lets nobody change or remove an entry", async () => {
    await expect(house.db.run(sql`update drover.ledger set cost_nanos = 0`)).rejects.toThrow(/only added to/);
    await expect(house.db.run(sql`delete from drover.ledger`)).rejects.toThrow(/only added to/);
    await expect(house.db.run(sql`truncate drover.ledger`)).rejects.toThrow(/only added to/);
  });

  it("shows a counter that was tampered with", async () => {
    await house.budget("money", 1_000_000);
    await house.limit("slots", "concurrent", 5);
    await house.db.run(sql`update drover.budget set spent_nanos = 7`);
    await house.db.run(sql`update drover.rate_limit set held = 1`);
    expect(await house.differences()).toEqual([
      { kind: "limit", name: "slots", counter: "held", expected: "0", actual: "1" },
      { kind: "budget", name: "money", counter: "spent", expected: "0", actual: "7" },
    ]);
  });
});
