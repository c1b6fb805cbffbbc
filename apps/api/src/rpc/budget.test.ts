import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { complete } from "@drover/db/node/settle";
import { register } from "@drover/db/node/register";
import { sync } from "@drover/db/node/sync";
import { ensureQueue } from "@drover/db/query/queue";
import { submit } from "@drover/db/query/submit";
import {
  BudgetAction,
  BudgetPeriod,
  BudgetScope,
  BudgetService,
  ReportDimension,
  ReportPeriod,
} from "@drover/proto/drover/budget";
import { RunService } from "@drover/proto/drover/run";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { LimitMetric, LimitService, LimitWindow } from "@drover/proto/drover/limit";
import { TaskService, TaskState } from "@drover/proto/drover/task";
import { formatTaskKey } from "@drover/domain/task-id";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMetrics } from "@drover/daemon/metric";
import { metrics as declarations } from "../metric.ts";
import { collectMetrics } from "../metric/collect.ts";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

function setup() {
  return {
    limits: createClient(LimitService, api.transport),
    budgets: createClient(BudgetService, api.transport),
    tasks: createClient(TaskService, api.transport),
  };
}

/** Submits calls of 300 tokens of input and 100 of output, which cost 0.006 USD. */
async function call(count: number, charge: object = {}): Promise<string[]> {
  const [row] = await api.db.run<{ id: number }>(sql`select id from drover.class where name = 'llm'`);
  const queueId = await ensureQueue(api.db, {
    namespaceId: 1,
    classId: row?.id ?? 0,
    executor: "llm",
    taskType: "acme",
  });
  const execution = JSON.stringify({
    provider: "acme",
    model: "m",
    messages: [],
    inputTokens: 300,
    maxOutputTokens: 100,
    charge,
  });
  return submit(
    api.db,
    { namespaceId: 1, actor: "test" },
    Array.from({ length: count }, () => ({ queueId, execution })),
  );
}

/** Claims what may be claimed and answers it. */
async function work(): Promise<number> {
  const holder = await register(api.db, {
    kind: "node",
    name: "caller",
    namespace: "default",
    executors: ["llm"],
    taskTypes: ["*"],
    classes: null,
    slots: { llm: 9 },
    facts: {},
    version: "test",
  });
  const answer = await sync(api.db, holder, { llm: 9 }, false);
  if (answer.status !== "ok") throw new Error(answer.status);
  const result = JSON.stringify({ usage: { inputTokens: 300, outputTokens: 100 } });
  await complete(
    api.db,
    holder,
    answer.claims.map((claim) => ({ taskKey: claim.task_id, fence: claim.fence, result })),
  );
  return answer.claims.length;
}

async function faultOf(promise: Promise<unknown>): Promise<ConnectError> {
  return promise.then(
    () => expect.unreachable("the call should have been refused"),
    (error: unknown) => ConnectError.from(error),
  );
}

describe("LimitService", () => {
  it("sets a limit that holds, tells who waits for it and why, and lets go when it is deleted", async () => {
    const { limits, tasks } = setup();
    const rule = {
      name: "acme-rpm",
      provider: "acme",
      metric: LimitMetric.REQUESTS,
      window: LimitWindow.MINUTE,
      allowance: 1n,
    };
    expect((await limits.setLimit({ rule })).limit).toMatchObject({ rule, held: 0n, used: 0n, waiting: 0n });
    const [, second = ""] = await call(2);
    expect(await work()).toBe(1);
    const { task } = await tasks.getTask({ id: formatTaskKey(BigInt(second)) });
    expect(task?.state).toBe(TaskState.WAITING);
    expect(task?.pending?.message).toMatch(/^It waits for limit acme-rpm \(1 request a minute\) until 20/);
    expect((await limits.listLimits({})).limits).toMatchObject([{ used: 1n, waiting: 1n }]);
    await limits.deleteLimit({ name: "acme-rpm" });
    expect(await work()).toBe(1);
    expect((await faultOf(limits.deleteLimit({ name: "acme-rpm" }))).code).toBe(Code.NotFound);
  });

  it("refuses a window where there is none to have, and none where there must be one", async () => {
    const { limits } = setup();
    const rule = { name: "x", allowance: 1n };
    const without = await faultOf(limits.setLimit({ rule: { ...rule, metric: LimitMetric.TOKENS } }));
    expect(without.rawMessage).toContain("Expected a window (minute, hour or day) for a limit of tokens, got none.");
    const within = await faultOf(
      limits.setLimit({ rule: { ...rule, metric: LimitMetric.CONCURRENT, window: LimitWindow.DAY } }),
    );
    expect(within.rawMessage).toContain("Expected no window for a limit of calls at once, got day.");
    expect((await faultOf(limits.setLimit({ rule: { ...rule, name: "No" } }))).code).toBe(Code.InvalidArgument);
  });
});

describe("BudgetService", () => {
  it("sets a budget that stops the call it cannot pay", async () => {
    const { budgets, tasks } = setup();
    const rule = { name: "tiny", limitNanos: 100_000n, alertPercents: [80] };
    expect((await budgets.setBudget({ rule })).budget).toMatchObject({
      rule: { ...rule, whenExceeded: BudgetAction.FAIL },
      scope: BudgetScope.NAMESPACE,
      spentNanos: 0n,
    });
    const [key = ""] = await call(1);
    expect(await work()).toBe(0);
    const { task } = await tasks.getTask({ id: formatTaskKey(BigInt(key)) });
    expect(task).toMatchObject({ state: TaskState.FAILED, error: { class: "budget_exceeded" } });
    const changed = await faultOf(budgets.setBudget({ rule: { ...rule, period: BudgetPeriod.DAY } }));
    expect(changed.code).toBe(Code.FailedPrecondition);
    const waiting = await faultOf(budgets.setBudget({ rule: { ...rule, name: "w", whenExceeded: BudgetAction.WAIT } }));
    expect(waiting.rawMessage).toContain("Expected a period (day or month)");
    await budgets.deleteBudget({ name: "tiny" });
    expect((await budgets.listBudgets({})).budgets).toEqual([]);
  });

  it("reports what was spent, and what a run cost", async () => {
    const { budgets } = setup();
    const workflows = createClient(WorkflowService, api.transport);
    await workflows.applyWorkflow({ source: "drover: workflow/v1\nname: letters\nsteps: {write: {value: 1}}" });
    const { id: runId } = await createClient(RunService, api.transport).startRun({ workflow: "letters" });
    await call(2, { workflow: "letters", rootRunId: runId, runId, step: "write" });
    expect(await work()).toBe(2);
    const report = await budgets.getReport({
      by: [ReportDimension.WORKFLOW, ReportDimension.RUN],
      period: ReportPeriod.TODAY,
      workflow: "letters",
    });
    const cost = { calls: 2n, inputTokens: 600n, outputTokens: 200n, costNanos: 12_000_000n, gpuMs: 0n };
    expect(report.rows).toMatchObject([{ keys: ["letters", runId], cost }]);
    expect(report.total).toMatchObject(cost);
    const spent = await budgets.getRunCost({ runId });
    expect(spent.cost).toMatchObject(cost);
    expect(spent.steps).toMatchObject([{ runId, step: "write", cost }]);
    expect((await budgets.verifyLedger({})).differences).toEqual([]);
    await api.db.run(
      sql`insert into drover.budget (namespace_id, name, scope, limit_nanos, spent_nanos) values (1, 'odd', 'namespace', 1, 5)`,
    );
    expect((await budgets.verifyLedger({})).differences).toMatchObject([
      { kind: "budget", name: "odd", counter: "spent", expected: "0", actual: "5" },
    ]);
    await budgets.deleteBudget({ name: "odd" });
  });

  it("tells in the metrics how far limits and budgets are used", async () => {
    const { limits, budgets } = setup();
    await limits.setLimit({ rule: { name: "slots", provider: "acme", metric: LimitMetric.CONCURRENT, allowance: 0n } });
    await budgets.setBudget({ rule: { name: "wide", limitNanos: 12_000_000n } });
    await limits.deleteLimit({ name: "slots" });
    await limits.setLimit({
      rule: { name: "rph", provider: "acme", metric: LimitMetric.REQUESTS, window: LimitWindow.HOUR, allowance: 4n },
    });
    await call(1);
    await work();
    const metrics = createMetrics({ declarations });
    await collectMetrics({ db: api.db, handles: metrics.handles });
    const text = await metrics.expose();
    expect(text).toContain('drover_limit_use_ratio{limit="rph"} 0.25');
    expect(text).toContain('drover_budget_spent_ratio{budget="wide",namespace="default"} 0.5');
    expect(text).toContain('drover_calls_waiting{reason="rate_limited"} 0');
    expect(text).toMatch(/drover_cost_today_usd 0\.0/);
    expect(text).not.toContain("slots");
  });

  it("refuses a report of no span, of two, and of one that ends before it begins", async () => {
    const { budgets } = setup();
    const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
    for (const request of [{}, { period: ReportPeriod.TODAY, from: at(1) }, { from: at(9), to: at(1) }]) {
      expect((await faultOf(budgets.getReport(request))).code).toBe(Code.InvalidArgument);
    }
    expect((await faultOf(budgets.getRunCost({ runId: "78" }))).rawMessage).toContain('Run "78" does not exist');
  });

  it("adds prices to their history, never to the past", async () => {
    const { budgets } = setup();
    const price = { provider: "acme", model: "m", inputNanos: 1n, outputNanos: 2n };
    expect((await budgets.setPrice({ price })).price).toMatchObject({ ...price, actor: "anonymous" });
    const { prices } = await budgets.listPrices({});
    expect(prices.filter((one) => one.provider === "acme")).toMatchObject([price]);
    expect(prices.length).toBeGreaterThan(30);
    const past = await faultOf(budgets.setPrice({ price: { ...price, effectiveFrom: { seconds: 1n, nanos: 0 } } }));
    expect(past.rawMessage).toContain("Expected a time from now on");
  });
});
