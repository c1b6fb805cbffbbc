import { Code, createClient } from "@connectrpc/connect";
import { claim } from "@drover/db/node/sync";
import { complete, fail } from "@drover/db/node/settle";
import { register } from "@drover/db/node/register";
import { RunService, RunState, StepState } from "@drover/proto/drover/run";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
let holder: { holderId: number; epoch: string };
beforeAll(async () => {
  api = await createTestApi();
  const facts = { taskTypes: ["*"], classes: null, slots: {}, facts: {}, version: "test", executors: ["worker"] };
  holder = await register(api.db, { kind: "worker", name: "w", namespace: "default", ...facts });
});
afterAll(() => api.close());

const setup = () => ({
  workflows: createClient(WorkflowService, api.transport),
  runs: createClient(RunService, api.transport),
});

async function work(resultOf: (payload: unknown) => unknown, failing: string[] = []) {
  for (;;) {
    await api.settleRuns();
    const claims = await claim(api.db, holder, 100);
    if (claims.length === 0) return;
    const bad = claims.filter((one) => failing.includes(one.type));
    const good = claims.filter((one) => !failing.includes(one.type));
    const named = (one: (typeof claims)[number]) => ({ taskKey: one.task_id, fence: one.fence });
    await complete(
      api.db,
      holder,
      good.map((one) => ({ ...named(one), result: JSON.stringify(resultOf(one.payload)) })),
    );
    await fail(
      api.db,
      holder,
      bad.map((one) => ({ ...named(one), class: "error", message: "it broke" })),
    );
  }
}

const source = `
drover: workflow/v1
name: digest
input: {type: object, properties: {words: {type: array, items: {type: string}}}, required: [words]}
steps:
  count:
    worker: count
    payload: \${item}
    each: \${input.words}
  sum:
    worker: sum
    payload: \${steps.count.output}
    retry: {attempts: 1}
output:
  lengths: \${steps.count.output}
  sum: \${steps.sum.output}
`;

describe("RunService", () => {
  it("applies a workflow once, runs it, and shows what came out", async () => {
    const { workflows, runs } = setup();
    const first = await workflows.applyWorkflow({ source });
    expect(first).toMatchObject({ created: true, workflow: { name: "digest", version: 1, format: "drover" } });
    expect(await workflows.applyWorkflow({ source })).toMatchObject({ created: false, workflow: { version: 1 } });

    const started = await runs.startRun({ workflow: "digest", input: { words: ["a", "bcd"] }, idempotencyKey: "k" });
    expect(started.created).toBe(true);
    const again = await runs.startRun({ workflow: "digest", input: { words: ["a", "bcd"] }, idempotencyKey: "k" });
    expect(again).toMatchObject({ id: started.id, created: false });
    await expect(
      runs.startRun({ workflow: "digest", input: { words: [] }, idempotencyKey: "k" }),
    ).rejects.toMatchObject({ code: Code.FailedPrecondition });

    await work((payload) =>
      typeof payload === "string" ? payload.length : (payload as number[]).reduce((sum, one) => sum + one, 0),
    );
    const { run } = await runs.getRun({ id: started.id });
    expect(run).toMatchObject({
      state: RunState.COMPLETED,
      statistics: { total: 2, completed: 2, failed: 0 },
      steps: [
        { id: "count", state: StepState.COMPLETED, itemsTotal: 2, itemsEnded: 2 },
        { id: "sum", state: StepState.COMPLETED, needs: ["count"] },
      ],
    });
    expect(run?.output?.kind).toMatchObject({
      case: "structValue",
      value: { fields: { sum: { kind: { value: 4 } } } },
    });
  });

  it("refuses an input that does not fit, a workflow that does not exist, and one with faults", async () => {
    const { workflows, runs } = setup();
    await workflows.applyWorkflow({ source });
    await expect(runs.startRun({ workflow: "digest", input: {} })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("words") as string,
    });
    await expect(runs.startRun({ workflow: "digets" })).rejects.toMatchObject({ code: Code.NotFound });
    const bad = source.replace("steps.count.output}\n    retry", "steps.cuont.output}\n    retry");
    const { faults } = await workflows.validateWorkflow({ source: bad });
    expect(faults[0]).toMatchObject({ line: 12, hint: expect.stringContaining("count") as string });
    await expect(workflows.applyWorkflow({ source: bad })).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  it("takes up a failed run where it failed, and runs completed steps again only where asked to", async () => {
    const { workflows, runs } = setup();
    await workflows.applyWorkflow({ source });
    const { id } = await runs.startRun({ workflow: "digest", input: { words: ["x"] } });
    await work(() => 1, ["sum"]);
    expect((await runs.getRun({ id })).run?.state).toBe(RunState.PARTIALLY_COMPLETED);
    expect(await runs.resumeRun({ id })).toMatchObject({ reset: 1 });
    await work(() => 2);
    expect((await runs.getRun({ id })).run).toMatchObject({ state: RunState.COMPLETED, statistics: { completed: 2 } });
    await expect(runs.resumeRun({ id })).rejects.toMatchObject({ code: Code.FailedPrecondition });
    expect(await runs.resumeRun({ id, fromStep: "count" })).toMatchObject({ reset: 2 });
    await work(() => 3);
    const { run } = await runs.getRun({ id });
    expect(run?.output?.kind).toMatchObject({ value: { fields: { sum: { kind: { value: 3 } } } } });
  });

  it("cancels a run with what is in flight, and tells whoever watches", async () => {
    const { workflows, runs } = setup();
    await workflows.applyWorkflow({ source });
    const { id } = await runs.startRun({ workflow: "digest", input: { words: ["x", "y"] } });
    await api.settleRuns();
    const seen: RunState[] = [];
    const watching = (async () => {
      for await (const { run } of runs.watchRun({ id })) if (run && run.state !== seen.at(-1)) seen.push(run.state);
    })();
    expect(await runs.cancelRun({ id, reason: "no longer wanted" })).toMatchObject({ state: RunState.RUNNING });
    await api.settleRuns();
    await watching;
    expect(seen.at(-1)).toBe(RunState.CANCELLED);
    const { run } = await runs.getRun({ id });
    expect(run).toMatchObject({
      state: RunState.CANCELLED,
      error: { class: "cancelled", message: "no longer wanted" },
      statistics: { cancelled: 1, skipped: 1 },
    });
    expect(await claim(api.db, holder, 10)).toEqual([]);
    expect(await runs.cancelRun({ id })).toMatchObject({ state: RunState.CANCELLED });
  });

  it("says of a running step what its task waits for, and counts as running what was begun", async () => {
    const { workflows, runs } = setup();
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: stumble
steps:
  flaky: {worker: flaky, retry: {attempts: 3, strategy: constant, base: 1h, jitter: false}}
  each: {worker: item, each: [1, 2], retry: {attempts: 3, strategy: constant, base: 1h, jitter: false}}
  after: {value: 1, needs: [flaky]}
`,
    });
    const { id } = await runs.startRun({ workflow: "stumble" });
    await work(() => 1, ["flaky", "item"]);
    const { run } = await runs.getRun({ id });
    expect(run).toMatchObject({ statistics: { total: 3, running: 2, pending: 1 } });
    const waits = run?.steps.map(({ state, waitingFor }) => [state, waitingFor]);
    expect(waits).toEqual([
      [StepState.RUNNING, expect.stringMatching(/^attempt 2; until 20/)],
      [StepState.RUNNING, expect.stringMatching(/^attempt 2; until 20/)],
      [StepState.PENDING, ""],
    ]);
    const { steps } = await runs.listRunSteps({ id, step: "each" });
    expect(steps.map(({ item, waitingFor }) => [item, waitingFor.slice(0, 9)])).toEqual([
      [-1, "attempt 2"],
      [0, "attempt 2"],
      [1, "attempt 2"],
    ]);
    await runs.cancelRun({ id });
    await api.settleRuns();
  });

  it("takes as long as its steps or longer", async () => {
    const { workflows, runs } = setup();
    await workflows.applyWorkflow({
      source: "{drover: workflow/v1, name: quick, steps: {a: {value: 1}, b: {value: 2, needs: [a]}}}",
    });
    const { id } = await runs.startRun({ workflow: "quick" });
    await api.settleRuns();
    const { run } = await runs.getRun({ id });
    const ms = (time: { seconds: bigint; nanos: number } | undefined) =>
      Number(time?.seconds) * 1000 + Number(time?.nanos) / 1e6;
    expect(run?.steps.length).toBe(2);
    for (const step of run?.steps ?? []) {
      expect(ms(step.startedAt)).toBeGreaterThanOrEqual(ms(run?.startedAt));
      expect(ms(step.finishedAt)).toBeLessThanOrEqual(ms(run?.finishedAt));
    }
  });

  it("waits for events and for approvals, and lets only approvers decide", async () => {
    const { workflows, runs } = setup();
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: gate
steps:
  paid: {event: paid}
  ok: {approval: {approvers: [ann]}, needs: [paid]}
  end: {value: "\${steps.paid.output.amount}", needs: [ok]}
`,
    });
    const { id } = await runs.startRun({ workflow: "gate" });
    await api.settleRuns();
    expect((await runs.getRun({ id })).run?.steps[0]).toMatchObject({
      state: StepState.WAITING,
      waitingFor: "event paid",
    });
    const decision = { runId: id, step: "ok", approve: true };
    await expect(runs.decideApproval({ ...decision, approver: "ann" })).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    await runs.sendEvent({
      runId: id,
      name: "paid",
      data: {
        kind: { case: "structValue", value: { fields: { amount: { kind: { case: "numberValue", value: 5 } } } } },
      },
    });
    await api.settleRuns();
    await expect(runs.decideApproval({ ...decision, approver: "bob" })).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
    await runs.decideApproval({ ...decision, approver: "ann" });
    await api.settleRuns();
    const { run } = await runs.getRun({ id });
    expect(run).toMatchObject({ state: RunState.COMPLETED });
    expect(run?.output?.kind).toMatchObject({ value: { fields: { end: { kind: { value: 5 } } } } });
    await expect(runs.sendEvent({ runId: id, name: "paid" })).rejects.toMatchObject({ code: Code.FailedPrecondition });
  });
});
