import { Code } from "@connectrpc/connect";
import type { WorkflowStatusUpdate } from "@drover/proto/orchestrator/orchestrator";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chain, createWorkflowBench, type Fields, type WorkflowBench } from "./testing.ts";

let bench: WorkflowBench;
beforeAll(async () => {
  bench = await createWorkflowBench();
});
afterAll(() => bench.close());

describe("CreateWorkflow", () => {
  it("saves the workflow of the spec; what stands beside it counts first", async () => {
    const spec = bytes(chain("In spec", ["a", "b"], { id: "in-spec", description: "of the spec" }));
    expect(await bench.client.createWorkflow({ spec })).toMatchObject({
      success: true,
      workflowId: "in-spec",
      error: "",
    });
    const named = { id: " beside ", name: "Beside", description: "of the call", spec };
    expect(await bench.client.createWorkflow(named)).toMatchObject({ success: true, workflowId: "beside" });
    expect(await bench.fields("GET", "/workflows/in-spec")).toMatchObject({
      name: "In spec",
      description: "of the spec",
    });
    expect(await bench.fields("GET", "/workflows/beside")).toMatchObject({
      name: "Beside",
      description: "of the call",
    });
  });

  it.each([
    ["", "invalid workflow payload: "],
    ["{", "invalid workflow payload: "],
    ["{}", "workflow name is required"],
    [JSON.stringify(chain("n", ["a", "b"])).replace("do a", ""), 'node "a" invalid: signature prompt is required'],
  ])("answers %j with success false and a text", async (text, error) => {
    const answer = await bench.client.createWorkflow({ id: "w", spec: new TextEncoder().encode(text) });
    expect(answer).toMatchObject({ success: false, workflowId: "w" });
    expect(answer.error.startsWith(error)).toBe(true);
  });
});

describe("StartWorkflowRun", () => {
  it("starts a run with decoded input, once for each key", async () => {
    await create("started", ["a", "b"]);
    const input = { count: "3", list: "['x', None]", text: "plain" };
    const first = await bench.client.startWorkflowRun({ workflowId: "started", idempotencyKey: "k", input });
    expect(first).toMatchObject({ success: true, error: "" });
    const again = await bench.client.startWorkflowRun({ workflowId: " started ", idempotencyKey: "k" });
    expect(again).toMatchObject({ success: true, runId: first.runId });
    expect(await bench.fields("GET", `/workflow-runs/${first.runId}`)).toMatchObject({
      input: { count: 3, list: ["x", null], text: "plain" },
    });
  });

  it.each([
    ["nobody", "workflow not found"],
    ["", "workflow_id is required"],
  ])("answers %j with success false", async (workflowId, error) => {
    expect(await bench.client.startWorkflowRun({ workflowId })).toMatchObject({ success: false, runId: "", error });
  });
});

describe("StreamWorkflowStatus", () => {
  it("tells how the run stands, then every change once, and ends with it", async () => {
    await create("followed", ["a", "b"]);
    const { runId } = await bench.client.startWorkflowRun({ workflowId: "followed" });
    const told: WorkflowStatusUpdate[] = [];
    for await (const update of bench.client.streamWorkflowStatus({ runId })) {
      told.push(update);
      if (update.status === "pending") await bench.api.settleRuns();
      else if (update.currentStep !== "") await bench.settle(await bench.claim());
    }
    const step = (update: WorkflowStatusUpdate) => [update.status, update.currentStep, update.stepsCompleted];
    expect(told.map(step)).toEqual([
      ["pending", "", 0],
      ["running", "a", 0],
      ["running", "b", 1],
      ["completed", "", 2],
    ]);
    expect(told.every((update) => update.runId === runId && update.totalSteps === 2)).toBe(true);
    expect(told.at(-1)).toMatchObject({ output: { b: '{"text":"did b"}' }, error: "" });
  });

  it("says why a run failed, at once where it is over", async () => {
    await create("broken", ["a", "b"]);
    const { runId } = await bench.client.startWorkflowRun({ workflowId: "broken" });
    await bench.settle(await bench.claim(), ["a"]);
    const told: WorkflowStatusUpdate[] = [];
    for await (const update of bench.client.streamWorkflowStatus({ runId })) told.push(update);
    expect(told).toMatchObject([{ status: "failed", stepsCompleted: 0, totalSteps: 2 }]);
    expect(told[0]?.error).toContain("it broke");
  });

  it.each([
    [" ", Code.InvalidArgument, "run_id is required"],
    ["run-0000000000000001", Code.NotFound, "run not found"],
    ["anything", Code.NotFound, "run not found"],
  ])("refuses %j", async (runId, code, rawMessage) => {
    const stream = bench.client.streamWorkflowStatus({ runId })[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject({ code, rawMessage });
  });
});

describe("SubmitTask with a workflow", () => {
  it("tells the task of the workflow that it names, but not over what the client says", async () => {
    await create("context", ["a", "b"], { tenant: "acme" });
    const payload = { task_type: "x", workflow_id: "context" };
    expect(await bench.client.submitTask({ id: "told", payload })).toMatchObject({ success: true });
    const own = { task_type: "x", tenant: "own", workflow_context: "mine" };
    await bench.client.submitTask({ id: "own", workflowId: "context", payload: own });
    await bench.client.submitTask({ id: "other", payload: { task_type: "x", workflow_id: "nobody" } });
    const claims = new Map((await bench.claim()).map((one) => [one.name, one.payload as Fields]));
    expect(claims.get("told")).toMatchObject({ tenant: "acme", workflow_context: { id: "context", name: "context" } });
    expect(claims.get("own")).toEqual({ ...own, workflow_id: "context" });
    expect(claims.get("other")).toEqual({ task_type: "x", workflow_id: "nobody" });
    // The workflow may change between a submit and its repetition: the request is the same.
    await create("context", ["a", "b", "c"]);
    expect(await bench.client.submitTask({ id: "told", payload })).toMatchObject({ success: true, taskId: "told" });
  });
});

describe("events and metrics", () => {
  it("tells when runs start and how they end, and counts the workflows", async () => {
    await create("told", ["a", "b"]);
    const sinceTimestamp = BigInt(Math.floor(Date.now() / 1000));
    const start = async () => (await bench.client.startWorkflowRun({ workflowId: "told" })).runId;
    const [good, bad] = [await start(), await start()];
    const claims = await bench.claim();
    const isOf = (run: string) => (one: (typeof claims)[number]) => (one.payload as Fields)["workflow_run_id"] === run;
    await bench.settle(claims.filter(isOf(bad)), ["a"]);
    await bench.settle(claims.filter(isOf(good)));
    await bench.settle(await bench.claim());
    const eventTypes = ["workflow_started", "workflow_completed", "workflow_failed"];
    const seen: unknown[] = [];
    for await (const event of bench.client.streamEvents({ eventTypes, sinceTimestamp })) {
      if (![good, bad].includes(event.resourceId)) continue;
      seen.push([event.eventType, event.resourceId, event.data["workflow_id"], event.data["error"]]);
      if (event.eventType === "workflow_completed") break;
    }
    expect(seen).toEqual([
      ["workflow_started", good, "told", undefined],
      ["workflow_started", bad, "told", undefined],
      ["workflow_failed", bad, "told", expect.stringContaining("it broke")],
      ["workflow_completed", good, "told", undefined],
    ]);
    const { items } = (await bench.fields("GET", "/workflows")) as { items: Fields[] };
    const { metrics } = await bench.client.getMetrics({ metricNames: ["workflows_total"] });
    expect(metrics).toEqual({ workflows_total: items.length });
  });
});

async function create(id: string, nodes: string[], more: Fields = {}): Promise<void> {
  expect(await bench.client.createWorkflow({ spec: bytes(chain(id, nodes, { id, ...more })) })).toMatchObject({
    success: true,
  });
}

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
