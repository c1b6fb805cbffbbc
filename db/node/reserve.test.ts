import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sweep } from "../query/control.ts";
import { openTestLedger, type TestLedger } from "../testing-ledger.ts";
import type { TestHolder } from "../testing-queue.ts";

let house: TestLedger;
let node: TestHolder;
beforeAll(async () => {
  house = await openTestLedger();
  node = await house.caller("caller");
});
afterAll(() => house.close());
beforeEach(() => house.clear());

const places = async (keys: string[]) => Promise.all(keys.map(async (key) => (await house.place(key)).place));

/** Moves what has been used so far out of a limit's window, as if so much time had gone by. */
const age = (name: string, slots: number) =>
  house.db.run(sql`
    update drover.rate_limit set slots = drover.turn_slots(slots, newest_slot, newest_slot + ${slots}) where name = ${name}`);

describe("a rate limit", () => {
  it("grants what fits and lets the rest wait, with the limit and a time", async () => {
    await house.limit("tpm", "tokens", 100);
    const keys = await house.call(...Array.from({ length: 12 }, () => ({})));
    const claims = await house.claimCalls(node);
    expect(claims.map((claim) => claim.task_id)).toEqual(keys.slice(0, 10));
    const last = await house.place(keys[11] ?? "");
    expect(last).toMatchObject({ place: "rate_limited", blocker: "limit tpm (100 tokens a minute)" });
    expect(last.until_at?.getTime()).toBeGreaterThan(Date.now() + 50_000);
    await house.answer(node, claims, 5, 5);
    expect(await house.claimCalls(node)).toEqual([]);
    expect(await house.differences()).toEqual([]);
  });

  it("calls in those who fit at once when a call used less than was reserved", async () => {
    await house.limit("tpm", "tokens", 100);
    const keys = await house.call({ maxOutputTokens: 90 }, { maxOutputTokens: 80 }, { maxOutputTokens: 20 });
    const [first] = await house.claimCalls(node);
    expect(await places(keys)).toEqual(["running", "rate_limited", "rate_limited"]);
    await house.answer(node, first ? [first] : [], 5, 5);
    expect(await places(keys)).toEqual(["completed", "pending", "rate_limited"]);
    expect((await house.claimCalls(node)).map((claim) => claim.task_id)).toEqual([keys[1]]);
    expect(await house.differences()).toEqual([]);
  });

  it("fails what could never fit, with the numbers", async () => {
    await house.limit("tpm", "tokens", 100);
    const [key = ""] = await house.call({ inputTokens: 90, maxOutputTokens: 40 });
    expect(await house.claimCalls(node)).toEqual([]);
    expect(await house.place(key)).toMatchObject({
      place: "failed",
      error: {
        class: "limit_exceeded",
        message:
          "The call needs 130 tokens (90 of input, 40 of output) and limit tpm (100 tokens a minute) never allows that; raise the limit, or ask for less.",
      },
    });
  });

  it("cuts an answer of no stated length to what the smallest limit leaves", async () => {
    await house.limit("tpm", "tokens", 100);
    await house.limit("tph", "tokens", 5000, 3600);
    await house.call({ inputTokens: 20, maxOutputTokens: 20 }, { inputTokens: 10, maxOutputTokens: null });
    const claims = await house.claimCalls(node);
    expect(claims.map((claim) => claim.grant)).toEqual([{ maxOutputTokens: 20 }, { maxOutputTokens: 50 }]);
    await house.clear();
    await house.call({ maxOutputTokens: null });
    expect((await house.claimCalls(node)).map((claim) => claim.grant)).toEqual([{ maxOutputTokens: 1024 }]);
  });

  it("takes nothing from one limit where another one refuses", async () => {
    await house.limit("rpm", "requests", 10);
    await house.limit("slots", "concurrent", 1);
    const keys = await house.call({}, {}, {});
    const claims = await house.claimCalls(node);
    expect(claims).toHaveLength(1);
    const held = await house.db.run(sql`select name, held from drover.rate_limit order by name`);
    expect(held).toEqual([
      { name: "rpm", held: "1" },
      { name: "slots", held: "1" },
    ]);
    expect(await house.place(keys[2] ?? "")).toMatchObject({ blocker: "limit slots (1 call at once)" });
    await house.answer(node, claims, 5, 5);
    expect(await house.claimCalls(node)).toHaveLength(1);
    expect(await house.differences()).toEqual([]);
  });

  it("frees a use a window after its end, not before", async () => {
    await house.limit("rpm", "requests", 1);
    const keys = await house.call({}, {});
    await house.answer(node, await house.claimCalls(node), 5, 5);
    expect(await places(keys)).toEqual(["completed", "rate_limited"]);
    await age("rpm", 60);
    await sweep(house.db);
    expect(await house.claimCalls(node)).toEqual([]);
    await age("rpm", 61);
    await sweep(house.db);
    expect(await house.claimCalls(node)).toHaveLength(1);
  });

  it("gives back what a lost lease held, and looks at who waited", async () => {
    await house.limit("slots", "concurrent", 1);
    await house.limit("rpm", "requests", 1);
    const other = await house.caller("lost");
    const keys = await house.call({}, {});
    expect(await house.claimCalls(other)).toHaveLength(1);
    await house.claimCalls(node);
    expect(await places(keys)).toEqual(["running", "rate_limited"]);
    await house.db.run(sql`delete from drover.holder_lease where holder_id = ${other.holderId}`);
    await sweep(house.db);
    expect(await house.claimCalls(node)).toHaveLength(1);
    expect(await house.differences()).toEqual([]);
  });

  it("selects by the beginning of a model's name and by workflow", async () => {
    await house.db.run(sql`
      select drover.set_limit('big', null, 'big-*', null, 'report', 'concurrent', null, 0, 'test')`);
    const keys = await house.call(
      { model: "big-1", charge: { workflow: "report" } },
      { model: "big-1", charge: { workflow: "other" } },
      { model: "small-1", charge: { workflow: "report" } },
    );
    await house.claimCalls(node);
    expect(await places(keys)).toEqual(["failed", "running", "running"]);
  });

  it("lets who waits through when it is raised or removed", async () => {
    await house.limit("slots", "concurrent", 1);
    await house.call({}, {}, {});
    await house.claimCalls(node);
    await house.limit("slots", "concurrent", 2);
    expect(await house.claimCalls(node)).toHaveLength(1);
    await house.db.run(sql`select drover.delete_limit('slots', 'test')`);
    expect(await house.claimCalls(node)).toHaveLength(1);
  });

  it("counts anew from the ledger when its window changes", async () => {
    await house.limit("rpm", "requests", 2);
    await house.call({}, {}, {});
    await house.answer(node, await house.claimCalls(node), 5, 5);
    await house.limit("rpm", "requests", 2, 3600);
    await sweep(house.db);
    expect(await house.claimCalls(node)).toEqual([]);
    await house.limit("rpm", "tokens", 35, 3600);
    await sweep(house.db);
    expect(await house.claimCalls(node)).toHaveLength(1);
    expect(await house.differences()).toEqual([]);
  });
});

describe("a budget", () => {
  it("of 0.0001 USD stops the call that would cost 0.006", async () => {
    await house.budget("tiny", 100_000);
    const [key = ""] = await house.call({ inputTokens: 300, maxOutputTokens: 100 });
    expect(await house.claimCalls(node)).toEqual([]);
    expect(await house.place(key)).toMatchObject({
      place: "failed",
      error: {
        class: "budget_exceeded",
        message:
          "The call may cost 0.006 USD (300 tokens of input and 100 of output of some-model) and budget tiny (0.0001 USD) has 0.0001 USD left; raise the budget, or ask for less.",
      },
    });
    expect(await house.db.run(sql`select spent_nanos, held_nanos from drover.budget`)).toEqual([
      { spent_nanos: "0", held_nanos: "0" },
    ]);
  });

  it("lets a call wait for money that others hold, and fails it once they have spent it", async () => {
    await house.budget("small", 10_000_000);
    const keys = await house.call(
      { inputTokens: 300, maxOutputTokens: 100 },
      { inputTokens: 300, maxOutputTokens: 100 },
      { inputTokens: 300, maxOutputTokens: 100 },
    );
    const claims = await house.claimCalls(node);
    expect(await places(keys)).toEqual(["running", "blocked", "blocked"]);
    await house.answer(node, claims, 300, 0);
    const second = await house.claimCalls(node);
    expect(await places(keys)).toEqual(["completed", "running", "blocked"]);
    await house.answer(node, second, 300, 100);
    await house.claimCalls(node);
    expect(await places(keys)).toEqual(["completed", "completed", "failed"]);
    expect(await house.db.run(sql`select spent_nanos, held_nanos from drover.budget`)).toEqual([
      { spent_nanos: "9000000", held_nanos: "0" },
    ]);
    expect(await house.differences()).toEqual([]);
  });

  it("tells each threshold once in a period", async () => {
    await house.budget("watched", 12_000_000);
    for (const _ of [1, 2]) {
      await house.call({ inputTokens: 300, maxOutputTokens: 100 });
      await house.answer(node, await house.claimCalls(node), 300, 100);
    }
    await house.call({ inputTokens: 0, maxOutputTokens: 0 });
    await house.answer(node, await house.claimCalls(node), 0, 0);
    const told = await house.db.run<{ data: { percent: number } }>(
      sql`select data from drover.event where kind = 'budget.alert' and data ->> 'name' = 'watched' order by id`,
    );
    expect(told.map((row) => row.data.percent)).toEqual([50, 100]);
  });

  it("of a day waits for the next one where it is told to", async () => {
    await house.budget("daily", 6_000_000, { period: "day", whenExceeded: "wait" });
    const keys = await house.call(
      { inputTokens: 300, maxOutputTokens: 100 },
      { inputTokens: 300, maxOutputTokens: 100 },
    );
    await house.answer(node, await house.claimCalls(node), 300, 100);
    await house.claimCalls(node);
    const midnight = new Date();
    midnight.setUTCHours(24, 0, 0, 0);
    const waiting = await house.place(keys[1] ?? "");
    expect(waiting.place).toBe("blocked");
    await house.db.run(sql`update drover.task_waiting set until_at = now()`);
    await house.claimCalls(node);
    expect((await house.place(keys[1] ?? "")).until_at).toEqual(midnight);
    // The next day: what was spent belongs to the one before.
    await house.db.run(sql`update drover.budget set period_started_at = period_started_at - interval '1 day'`);
    await house.db.run(sql`update drover.task_waiting set until_at = now()`);
    expect(await house.claimCalls(node)).toHaveLength(1);
  });

  it("of a step covers the calls of the runs nested in it", async () => {
    const [root, nested] = ["1000000000000000001", "1000000000000000002"];
    await house.db.run(sql`
      select drover.open_budgets(${house.context.namespaceId}, ${root}, ${root}, null, '{3}', '{summaries}', '{1000000}')`);
    await house.db.run(sql`
      create table drover.workflow_run_test partition of drover.workflow_run for values from (1000000000000000000) to (1000000000000001000)`);
    await house.db.run(sql`
      insert into drover.workflow_run (id, namespace_id, workflow_id, version_id, root_run_id, parent_run_id, parent_step, actor)
      values (${root}, 1, 1, 1, ${root}, null, null, 'test'), (${nested}, 1, 1, 1, ${root}, ${root}, 3, 'test'),
             (1000000000000000003, 1, 1, 1, ${root}, ${root}, 4, 'test')`);
    const keys = await house.call(
      { inputTokens: 300, charge: { rootRunId: root, runId: nested } },
      { inputTokens: 300, charge: { rootRunId: root, runId: "1000000000000000003" } },
    );
    await house.claimCalls(node);
    expect(await places(keys)).toEqual(["failed", "running"]);
    expect(await house.place(keys[0] ?? "")).toMatchObject({
      error: { message: expect.stringContaining("budget of step summaries (0.001 USD)") },
    });
  });
});

describe("a refusal by the provider (429)", () => {
  it("is no failure: the task waits as long as it says, and others of the model with it", async () => {
    const [key = "", other = "", elsewhere = ""] = await house.call({}, {}, { model: "another" });
    const [claim] = await house.claimCalls(node, 1);
    if (claim === undefined) throw new Error("expected a claim");
    await house.refuse(node, claim, { class: "rate_limited", retryAfterMs: 30_000 });
    const waiting = await house.place(key);
    expect(waiting.place).toBe("rate_limited");
    expect(waiting.until_at?.getTime()).toBeGreaterThan(Date.now() + 29_000);
    expect((await house.claimCalls(node)).map((one) => one.task_id)).toEqual([elsewhere]);
    expect(await house.place(other)).toMatchObject({
      place: "rate_limited",
      blocker: "provider llm-test, which takes no calls of some-model for now",
    });
    expect(await house.differences()).toEqual([]);
  });

  it("fails the task after 20 rounds in a row", async () => {
    const [key = ""] = await house.call({});
    for (let round = 0; round < 21; round++) {
      expect((await house.place(key)).place).toBe(round === 0 ? "pending" : "rate_limited");
      await house.db.run(sql`update drover.task_waiting set until_at = now()`);
      await house.db.run(sql`delete from drover.provider_pause`);
      const [claim] = await house.claimCalls(node);
      if (claim === undefined) throw new Error("expected a claim");
      await house.refuse(node, claim, { class: "rate_limited", retryAfterMs: 1_000 });
    }
    // Then it is a failure like any other, of which the policy allows three.
    expect((await house.place(key)).place).toBe("retrying");
  });

  it("is foreseen by headers that say that nothing is left", async () => {
    const keys = await house.call({}, {});
    const [claim] = await house.claimCalls(node, 1);
    if (claim === undefined) throw new Error("expected a claim");
    const { complete } = await import("./settle.ts");
    await complete(house.db, node, [
      {
        taskKey: claim.task_id,
        fence: claim.fence,
        result: JSON.stringify({
          usage: { inputTokens: 1, outputTokens: 1 },
          rateLimit: { remainingRequests: 0, resetMs: 9_000 },
        }),
      },
    ]);
    expect(await house.claimCalls(node)).toEqual([]);
    expect(await places(keys)).toEqual(["completed", "rate_limited"]);
  });
});
