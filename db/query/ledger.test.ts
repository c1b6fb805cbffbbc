import { reportSpan } from "@drover/domain/budget";
import { callCostNanos, findPrice, type Price } from "@drover/domain/price";
import { formatMoney } from "@drover/domain/money";
import { budgetPeriods, periodEnd, periodStart } from "@drover/domain/budget";
import { slotAt, slotsFreedAt, slotsUsed } from "@drover/domain/rate-limit";
import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { complete } from "../node/settle.ts";
import { sync } from "../node/sync.ts";
import { openTestLedger, testModel, type TestLedger } from "../testing-ledger.ts";
import type { TestHolder } from "../testing-queue.ts";
import { deleteBudget, listBudgets, openBudgets, setBudget } from "./budget.ts";
import { reportCosts, runCost, spendingToday, stepCosts, verifyLedger } from "./ledger.ts";
import { deleteLimit, listLimits, setLimit } from "./limit.ts";
import { addPrice, listPrices } from "./price.ts";
import { ensureQueue } from "./queue.ts";
import { submit } from "./submit.ts";

let house: TestLedger;
let node: TestHolder;
beforeAll(async () => {
  house = await openTestLedger();
  node = await house.caller("caller");
});
afterAll(() => house.close());

const today = () => reportSpan("today", new Date());

describe("the cost of runs", () => {
  it("is the sum of their calls, the nested ones included", async () => {
    const [one = "", other = ""] = await house.submit([
      { queueId: await house.queue() },
      { queueId: await house.queue() },
    ]);
    await house.call(
      { inputTokens: 300, maxOutputTokens: 100, charge: { rootRunId: one, runId: one, step: "a", workflow: "w" } },
      { inputTokens: 300, maxOutputTokens: 100, charge: { rootRunId: one, runId: other, step: "b", workflow: "w" } },
      { inputTokens: 300, maxOutputTokens: 100, charge: { rootRunId: one, runId: one, step: "a", workflow: "w" } },
    );
    const claims = await house.claimCalls(node);
    await house.answer(node, claims.slice(0, 2), 100, 10);
    expect((await runCost(house.db, [one, other])).get(one)).toEqual({
      root_run_id: one,
      calls: "2",
      input_tokens: "200",
      output_tokens: "20",
      cost_nanos: "2600000",
      gpu_ms: "0",
      held_nanos: "6000000",
    });
    expect((await runCost(house.db, [other])).size).toBe(0);
    expect((await stepCosts(house.db, one)).map(({ step, cost_nanos }) => [step, cost_nanos])).toEqual([
      ["a", "1300000"],
      ["b", "1300000"],
    ]);
    const report = await reportCosts(house.db, { ...today(), by: ["workflow", "step", "model"], limit: 10 });
    expect(report.map(({ keys, calls, cost_nanos }) => ({ keys, calls, cost_nanos }))).toEqual([
      { keys: ["w", "a", testModel], calls: "1", cost_nanos: "1300000" },
      { keys: ["w", "b", testModel], calls: "1", cost_nanos: "1300000" },
    ]);
    const byDay = await reportCosts(house.db, { ...today(), by: ["day", "namespace"], workflow: "w", limit: 10 });
    expect(byDay[0]?.keys).toEqual([new Date().toISOString().slice(0, 10), "default"]);
    expect(await reportCosts(house.db, { ...reportSpan("yesterday", new Date()), by: ["model"], limit: 10 })).toEqual(
      [],
    );
    expect(Number((await spendingToday(house.db)).cost_nanos)).toBe(2_600_000);
    await house.answer(node, claims.slice(2), 1, 1);
  });

  it("counts the time of GPUs from claim to end", async () => {
    const [row] = await house.db.run<{ id: number }>(sql`select id from drover.class where name = 'gpu'`);
    const queueId = await ensureQueue(house.db, {
      namespaceId: 1,
      classId: row?.id ?? 0,
      executor: "docker",
      taskType: "",
    });
    const execution = JSON.stringify({ command: ["true"], resources: { gpuCount: 2 } });
    const holder = await house.node("gpu-node", { gpu: 4 });
    await submit(house.db, house.context, [
      { queueId, execution },
      { queueId, execution },
      { queueId, execution: JSON.stringify({ command: ["true"] }) },
    ]);
    const answer = await sync(house.db, holder, { gpu: 4 }, false);
    if (answer.status !== "ok") throw new Error(answer.status);
    const [done, failed, without] = answer.claims;
    await house.db.run(
      sql`update drover.task_lease set started_at = started_at - interval '10 seconds' where gpu_count = 2`,
    );
    await complete(
      house.db,
      holder,
      [done, without].map((one) => ({ taskKey: one?.task_id ?? "", fence: one?.fence ?? "" })),
    );
    if (failed) await house.refuse(holder, failed, { class: "exit_nonzero" });
    const [entries] = await house.db.run<{ count: string; least: string; most: string }>(sql`
      select count(*) as count, min(gpu_ms) as least, max(gpu_ms) as most from drover.ledger where kind = 'gpu'`);
    expect(entries?.count).toBe("2");
    expect(Number(entries?.least)).toBeGreaterThanOrEqual(20_000);
    expect(Number(entries?.most)).toBeLessThan(30_000);
  });
});

describe("limits and budgets", () => {
  it("are set, listed with what counts against them, and removed", async () => {
    const { db } = house;
    await setLimit(
      db,
      { name: "tpm", provider: "llm-test", metric: "tokens", windowSeconds: 60, allowance: 100n },
      "me",
    );
    await setBudget(db, 1, { name: "team", scope: "namespace", period: "day", limitNanos: 10n ** 9n, alertPercents: [80], whenExceeded: "wait" }, "me"); // prettier-ignore
    await house.call({}, {});
    const [first, second] = await house.claimCalls(node);
    await house.answer(node, first ? [first] : [], 3, 1);
    expect(await listLimits(db, "tpm")).toMatchObject([
      { name: "tpm", allowance: "100", held: "10", used: "4", waiting: "0", window_seconds: 60 },
    ]);
    expect(await listBudgets(db, 1, { name: "team" })).toMatchObject([
      { name: "team", spent_nanos: "60000", held_nanos: "200000", when_exceeded: "wait" },
    ]);
    const other = { name: "team", scope: "workflow", workflow: "w", period: "day", limitNanos: 1n, alertPercents: [], whenExceeded: "fail" } as const; // prettier-ignore
    expect(await setBudget(db, 1, other, "me")).toBe("conflict");
    expect(await deleteLimit(db, "tpm", "me")).toBe(true);
    expect(await deleteLimit(db, "tpm", "me")).toBe(false);
    expect(await deleteBudget(db, 1, "team", "me")).toBe(true);
    // A call that outlives its limit settles all the same.
    await house.answer(node, second ? [second] : [], 3, 1);
    expect(await verifyLedger(db)).toEqual([]);
  });

  it("of a run are opened once", async () => {
    const budgets = {
      namespaceId: 1,
      rootRunId: "77",
      runId: "77",
      limitNanos: 5n,
      steps: [{ number: 1, id: "a", limitNanos: 3n }],
    };
    await openBudgets(house.db, budgets);
    await openBudgets(house.db, budgets);
    expect(
      (await listBudgets(house.db, 1, { rootRunId: "77" })).map((row) => [row.scope, row.step, row.limit_nanos]),
    ).toEqual([
      ["run", null, "5"],
      ["step", "a", "3"],
    ]);
  });
});

describe("prices", () => {
  it("keep their history, and the newest in force is taken", async () => {
    const before = new Date(Date.now() - 1000);
    const price = { provider: "llm-test", model: "m*", inputNanosPerMillion: 1n, outputNanosPerMillion: 2n };
    await addPrice(house.db, { ...price, effectiveFrom: before }, "me");
    expect(await addPrice(house.db, { ...price, effectiveFrom: before }, "me")).toBeUndefined();
    await addPrice(house.db, { ...price, inputNanosPerMillion: 3n }, "me");
    const ours = async (isHistory: boolean) =>
      (await listPrices(house.db, { isHistory })).filter((row) => row.provider === "llm-test");
    expect((await ours(true)).map((row) => row.input_nanos_per_million)).toEqual(["3", "1"]);
    expect((await ours(false)).map((row) => row.input_nanos_per_million)).toEqual(["3"]);
  });

  it("are found as the domain finds them", async () => {
    const prices: Price[] = (await listPrices(house.db, { isHistory: true })).map((row) => ({
      provider: row.provider,
      model: row.model,
      inputNanosPerMillion: BigInt(row.input_nanos_per_million),
      outputNanosPerMillion: BigInt(row.output_nanos_per_million),
      effectiveFrom: row.effective_from,
    }));
    const models = ["gpt-4", "gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-4-turbo", "gpt-4.1-nano", "claude-3-opus-20240229", "claude-opus-4-1",
      "gemini-1.5-flash-8b", "gemini-2.5-flash", "llama3", "echo-priced", "m1", "o3-mini"]; // prettier-ignore
    const at = new Date();
    for (const provider of ["openai", "ollama", "echo", "llm-test"]) {
      for (const model of models) {
        const [row] = await house.db.run<{ input: string; output: string; cost: string; text: string }>(sql`
          select p.input_nanos_per_million as input, p.output_nanos_per_million as output,
                 drover.call_cost(1234, 567, p.input_nanos_per_million, p.output_nanos_per_million) as cost,
                 drover.money_text(drover.call_cost(1234, 567, p.input_nanos_per_million, p.output_nanos_per_million)) as text
            from drover.price_of(${provider}, ${model}, ${at.toISOString()}::timestamptz) p`);
        const found = findPrice(prices, { provider, model, at });
        if (found === undefined) throw new Error(`expected a price of ${model}`);
        const cost = callCostNanos({ inputTokens: 1234n, outputTokens: 567n }, found);
        expect([provider, model, row?.input, row?.output, row?.cost, row?.text]).toEqual([
          provider, model, String(found.inputNanosPerMillion), String(found.outputNanosPerMillion), String(cost), formatMoney(cost),
        ]); // prettier-ignore
      }
    }
  });
});

describe("the arithmetic of windows and periods", () => {
  it("is the domain's", async () => {
    const ring = fc.record({
      windowSeconds: fc.constantFrom(1, 7, 60, 3600, 86_400),
      ageMs: fc.integer({ min: 0, max: 200_000 }),
      slots: fc.array(fc.nat(50), { minLength: 61, maxLength: 61 }),
      amount: fc.integer({ min: 1, max: 2000 }),
      nowMs: fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
    });
    await fc.assert(
      fc.asyncProperty(ring, async ({ windowSeconds, ageMs, slots, amount, nowMs }) => {
        const newestSlot = slotAt(windowSeconds, nowMs - ageMs);
        const now = new Date(nowMs).toISOString();
        const [row] = await house.db.run<{ slot: string; used: string; freed: Date | null }>(sql`
          select drover.slot_at(${windowSeconds}::integer, ${now}::timestamptz) as slot,
                 drover.slots_used(${sql.param(slots)}::bigint[], ${String(newestSlot)}::bigint, ${windowSeconds}::integer, ${now}::timestamptz) as used,
                 drover.slots_freed_at(${sql.param(slots)}::bigint[], ${String(newestSlot)}::bigint, ${windowSeconds}::integer, ${amount}::bigint,
                   ${now}::timestamptz) as freed`);
        const state = { newestSlot, slots, windowSeconds };
        expect(row?.slot).toBe(String(slotAt(windowSeconds, nowMs)));
        expect(row?.used).toBe(String(slotsUsed(state, nowMs)));
        const freed = slotsFreedAt(state, amount, nowMs);
        expect(row?.freed === null ? undefined : Math.abs((row?.freed.getTime() ?? 0) - (freed ?? 0)) <= 1).toBe(
          freed === undefined ? undefined : true,
        );
      }),
      { numRuns: 100 },
    );
    for (const period of budgetPeriods) {
      for (const at of ["2026-02-28T23:59:59.999Z", "2026-12-31T12:00:00Z", "2028-02-29T00:00:00Z"]) {
        const [row] = await house.db.run<{ start: Date | null; end: Date | null }>(sql`
          select drover.period_start(${period}, ${at}::timestamptz) as start, drover.period_end(${period}, ${at}::timestamptz) as end`);
        expect(row?.start ?? undefined).toEqual(periodStart(period, new Date(at)));
        expect(row?.end ?? undefined).toEqual(periodEnd(period, new Date(at)));
      }
    }
  });
});
