import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BudgetAction,
  BudgetPeriod,
  BudgetSchema,
  BudgetScope,
  GetReportResponseSchema,
  type GetReportRequest,
  PriceSchema,
  ReportDimension,
  ReportPeriod,
  type SetBudgetRequest,
} from "@drover/proto/drover/budget";
import { LimitMetric, LimitSchema, LimitWindow, type SetLimitRequest } from "@drover/proto/drover/limit";
import { describe, expect, it } from "vitest";
import { createTestDrover } from "../testing.ts";

describe("drover limit", () => {
  const limit = create(LimitSchema, {
    rule: {
      name: "tpm",
      metric: LimitMetric.TOKENS,
      window: LimitWindow.MINUTE,
      allowance: 100_000n,
      provider: "openai",
    },
    held: 30n,
    used: 1200n,
    waiting: 7n,
  });

  it("sends the one metric that the flags name", async () => {
    const asked: SetLimitRequest[] = [];
    const drover = createTestDrover({ limits: { setLimit: (request) => (asked.push(request), { limit }) } });
    const { code, out } = await drover(
      "limit",
      "set",
      "tpm",
      "--tokens",
      "100000",
      "--per",
      "minute",
      "--provider",
      "openai",
    );
    expect(code).toBe(0);
    expect(out).toContain("tpm    100,000 tokens per minute  provider openai  1,200    30        7");
    expect(asked[0]?.rule).toMatchObject({
      name: "tpm", metric: LimitMetric.TOKENS, window: LimitWindow.MINUTE, allowance: 100_000n, provider: "openai", model: "",
    }); // prettier-ignore
  });

  it("refuses none and two metrics, and a time that is none", async () => {
    const drover = createTestDrover();
    expect(await drover("limit", "set", "x")).toMatchObject({ code: 2, err: expect.stringContaining("got 0") });
    expect(await drover("limit", "set", "x", "--tokens", "1", "--concurrent", "1")).toMatchObject({ code: 2, err: expect.stringContaining("got 2") }); // prettier-ignore
    expect(await drover("limit", "set", "x", "--tokens", "1", "--per", "week")).toMatchObject({ code: 2, err: expect.stringContaining("one of minute, hour, day") }); // prettier-ignore
  });

  it("lists limits and models that are held back", async () => {
    const pauses = [{ provider: "openai", model: "gpt-5", until: { seconds: 1_800_000_000n, nanos: 0 } }];
    const drover = createTestDrover({ limits: { listLimits: () => ({ limits: [limit], pauses }) } });
    const { out, err } = await drover("limit", "list");
    expect(out).toContain("WAITING");
    expect(err).toContain("openai takes no calls of gpt-5 until 2027-01-15T08:00:00.000Z.");
    const { out: json } = await drover("limit", "list", "--json");
    expect(JSON.parse(json)).toMatchObject({
      limits: [{ name: "tpm", window: "minute", allowance: 100_000, used: 1200 }],
    });
  });

  it("says so when a limit to delete is not there", async () => {
    const drover = createTestDrover({
      limits: { deleteLimit: () => Promise.reject(new ConnectError('There is no limit "x".', Code.NotFound)) },
    });
    expect((await drover("limit", "delete", "x")).code).toBe(3);
  });
});

describe("drover budget", () => {
  const budget = create(BudgetSchema, {
    rule: {
      name: "team",
      limitNanos: 20_000_000_000n,
      period: BudgetPeriod.DAY,
      alertPercents: [80],
      whenExceeded: BudgetAction.WAIT,
    },
    scope: BudgetScope.NAMESPACE,
    spentNanos: 19_500_000_000n,
    heldNanos: 6_000_000n,
  });

  it("sets an amount in dollars, exactly", async () => {
    const asked: SetBudgetRequest[] = [];
    const drover = createTestDrover({ budgets: { setBudget: (request) => (asked.push(request), { budget }) } });
    const { code, out } = await drover(
      "budget",
      "set",
      "team",
      "--amount",
      "0.0001",
      "--per",
      "day",
      "--alert",
      "80",
      "--else",
      "wait",
    );
    expect(code).toBe(0);
    expect(asked[0]?.rule).toMatchObject({ limitNanos: 100_000n, period: BudgetPeriod.DAY, alertPercents: [80], whenExceeded: BudgetAction.WAIT }); // prettier-ignore
    expect(out).toMatch(/team\s+20\s+day\s+19\.5\s+0\.006\s+0\.494\s+all calls\s+wait/);
  });

  it("refuses no amount, and one that is none", async () => {
    const drover = createTestDrover();
    expect((await drover("budget", "set", "team")).err).toContain("Expected an amount in US dollars");
    expect(await drover("budget", "set", "team", "--amount", "five")).toMatchObject({
      code: 2,
      err: expect.stringContaining('"five"'),
    });
  });

  it("exits with 1 when a counter is not what the ledger says", async () => {
    const differences = [{ kind: "budget", name: "team", counter: "spent", expected: "5", actual: "7" }];
    const odd = await createTestDrover({ budgets: { verifyLedger: () => ({ differences }) } })("budget", "verify");
    expect(odd).toMatchObject({ code: 1, out: expect.stringMatching(/budget\s+team\s+spent\s+5\s+7/) });
    const even = await createTestDrover({ budgets: { verifyLedger: () => ({}) } })("budget", "verify");
    expect(even).toMatchObject({ code: 0, out: "Every counter is what the ledger says.\n" });
  });

  it("reports the total alone where it is divided by nothing, without an empty column", async () => {
    const report = create(GetReportResponseSchema, { total: { calls: 2n, costNanos: 5_000_000n } });
    const drover = createTestDrover({ budgets: { getReport: () => report } });
    const { out } = await drover("budget", "report");
    expect(out.split("\n").slice(0, 2)).toEqual([
      "CALLS  INPUT  OUTPUT    USD  GPU SECONDS",
      "    2      0       0  0.005            0",
    ]);
  });

  it("reports as a table, as CSV and as JSON", async () => {
    const asked: GetReportRequest[] = [];
    const cost = { calls: 2n, inputTokens: 6000n, outputTokens: 200n, costNanos: 12_000_000n, gpuMs: 1500n };
    const report = create(GetReportResponseSchema, {
      rows: [{ keys: ['=big,"one"', "2026-05-01"], cost }],
      total: cost,
    });
    const drover = createTestDrover({ budgets: { getReport: (request) => (asked.push(request), report) } });
    const flags = ["budget", "report", "--by", "model,day", "--period", "last_7_days"];
    const table = await drover(...flags);
    expect(table.out).toMatch(/total\s+2\s+6,000\s+200\s+0\.012\s+1\.5/);
    expect(asked[0]).toMatchObject({
      by: [ReportDimension.MODEL, ReportDimension.DAY],
      period: ReportPeriod.LAST_7_DAYS,
    });
    const csv = await drover(...flags, "--format", "csv");
    expect(csv.out).toBe(
      `model,day,calls,input_tokens,output_tokens,cost_usd,gpu_seconds\n"'=big,""one""",2026-05-01,2,6000,200,0.012,1.5\n`,
    );
    expect(JSON.parse((await drover(...flags, "--json")).out)).toMatchObject({
      rows: [{ model: '=big,"one"', day: "2026-05-01", costUsd: "0.012", gpuSeconds: 1.5 }],
      total: { calls: 2 },
    });
  });
});

describe("drover price", () => {
  it("sets both prices of a million tokens, and lists them", async () => {
    const price = create(PriceSchema, {
      provider: "openai",
      model: "gpt-5*",
      inputNanos: 1_250_000_000n,
      outputNanos: 10_000_000_000n,
    });
    const drover = createTestDrover({
      budgets: { setPrice: () => ({ price }), listPrices: () => ({ prices: [price] }) },
    });
    expect((await drover("price", "set", "openai", "gpt-5*", "--input", "1.25", "--output", "10")).code).toBe(0);
    expect((await drover("price", "set", "openai", "gpt-5*", "--input", "1.25")).code).toBe(2);
    expect((await drover("price", "list")).out).toMatch(/openai\s+gpt-5\*\s+1\.25\s+10/);
  });
});
