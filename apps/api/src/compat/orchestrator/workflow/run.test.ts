import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cancelRun } from "../../../operation/cancel-run.ts";
import { chain, createWorkflowBench, edgesOf, type Fields, type WorkflowBench } from "./testing.ts";

let bench: WorkflowBench;
beforeAll(async () => {
  bench = await createWorkflowBench();
});
afterAll(() => bench.close());

describe("POST /workflows/{id}/runs", () => {
  it("runs the nodes one after the other, as tasks that are found under the run's id and the node's", async () => {
    const posted = chain("Pair", ["first", "second"], { id: "pair", tenant: "acme", version: "3" });
    const saved = await bench.fields("POST", "/workflows", posted);
    const { status, body } = await bench.send("POST", "/workflows/pair/runs", { input: { topic: "x" } });
    expect(status).toBe(200);
    const run = body as Fields & { id: string };
    const step = (id: string) => ({
      node_id: id,
      name: `Node ${id}`,
      type: "signature",
      action: { type: "signature", signature: { prompt: `do ${id}` } },
      status: "pending",
      attempts: 0,
    });
    expect(run).toEqual({
      id: expect.stringMatching(/^run-[0-9a-f]{16}$/) as string,
      workflow_id: "pair",
      workflow_name: "Pair",
      workflow_version: "3",
      status: "pending",
      created_at: run["updated_at"],
      updated_at: run["created_at"],
      steps: [step("first"), step("second")],
      input: { topic: "x" },
      metadata: { node_count: 2 },
    });

    const claims = await bench.claim();
    expect(claims).toMatchObject([{ type: "signature", name: `${run.id}-first` }]);
    const context = (claims[0]?.payload as Fields | undefined)?.["workflow_context"];
    expect(claims[0]?.payload).toMatchObject({
      prompt: "do first",
      input: { topic: "x" },
      tenant: "acme",
      workflow_id: "pair",
      workflow_run_id: run.id,
    });
    expect(context).toEqual({
      id: "pair",
      name: "Pair",
      version: "3",
      tenant: "acme",
      tags: [],
      nodes: saved["nodes"],
      edges: saved["edges"],
      node_index: { signature: ["first", "second"] },
    });
    expect(await bench.fields("GET", `/workflow-runs/${run.id}`)).toMatchObject({
      status: "running",
      steps: [{ status: "running", attempts: 1, started_at: expect.any(String) as string }, { status: "pending" }],
    });
    await bench.settle(claims);
    const task = await bench.client.getTaskStatus({ taskId: `${run.id}-first` });
    expect(task).toMatchObject({ status: "completed", result: { text: "did first", workflow_id: "pair" } });
    expect(JSON.parse(task.result["workflow_context"] ?? "")).toEqual(context);

    await bench.settle(await bench.claim());
    const done = await bench.fields("GET", `/workflow-runs/${run.id}`);
    expect(done).toMatchObject({
      status: "succeeded",
      steps: ["first", "second"].map((id) => ({ status: "succeeded", attempts: 1, result: { text: `did ${id}` } })),
    });
    expect(Date.parse(String(done["completed_at"]))).toBe(Date.parse(String(done["updated_at"])));
  });

  it("fails with the node, and skips the rest", async () => {
    await bench.send("POST", "/workflows", chain("Fails", ["a", "b", "c"], { id: "fails" }));
    const { id } = await bench.fields("POST", "/workflows/fails/runs");
    await bench.settle(await bench.claim(), ["a"]);
    const run = await bench.fields("GET", `/workflow-runs/${String(id)}`);
    expect(run).toMatchObject({
      status: "failed",
      completed_at: expect.any(String) as string,
      steps: [
        { node_id: "a", status: "failed", attempts: 1, error: "it broke" },
        { node_id: "b", status: "skipped", attempts: 0 },
        { node_id: "c", status: "skipped", attempts: 0 },
      ],
    });
    expect(run).not.toHaveProperty("input");
  });

  it("runs a workflow of one node, whose edge leads to itself", async () => {
    await bench.send("POST", "/workflows", chain("Alone", ["only"], { id: "alone" }));
    const { id } = await bench.fields("POST", "/workflows/alone/runs", {});
    await bench.settle(await bench.claim());
    expect(await bench.fields("GET", `/workflow-runs/${String(id)}`)).toMatchObject({
      status: "succeeded",
      metadata: { node_count: 1 },
    });
  });

  it("completes without a task where nothing is to be run", async () => {
    const nodes = [
      { id: "z", name: "Z", type: "custom", custom: { any: "thing" } },
      { id: "r", name: "R", type: "reward", reward: { metric: "accuracy", target: 0.9 } },
      { id: "d", name: "D", type: "deployment", deployment: { tenant: "t", domain: "web", channel: "beta" } },
    ];
    await bench.send("POST", "/workflows", { id: "quiet", name: "Quiet", nodes, edges: edgesOf(["z", "r", "d"]) });
    const { id } = await bench.fields("POST", "/workflows/quiet/runs");
    expect(await bench.claim()).toEqual([]);
    expect(await bench.fields("GET", `/workflow-runs/${String(id)}`)).toMatchObject({
      status: "succeeded",
      steps: [
        { node_id: "z", status: "succeeded", attempts: 1, action: { type: "custom", custom: { any: "thing" } } },
        { node_id: "r", status: "succeeded", action: { type: "reward", reward: { metric: "accuracy" } } },
        { node_id: "d", status: "succeeded", action: { type: "deployment" } },
      ],
    });
  });

  it("gives the same run for the same key, whatever the body says, and the key to each workflow anew", async () => {
    for (const id of ["keyed", "keyed-2"]) await bench.send("POST", "/workflows", chain("Keyed", ["a", "b"], { id }));
    const first = await bench.fields("POST", "/workflows/keyed/runs", { idempotency_key: "k", input: { n: 1 } });
    const again = await bench.fields("POST", "/workflows/keyed/runs", { idempotency_key: "k", input: { n: 2 } });
    expect(again).toEqual(first);
    expect(first).toMatchObject({ idempotency_key: "k", input: { n: 1 } });
    const other = await bench.fields("POST", "/workflows/keyed-2/runs", { idempotency_key: "k" });
    expect(other["id"]).not.toBe(first["id"]);
  });

  it("makes one run of many starts with one key at once", async () => {
    await bench.send("POST", "/workflows", chain("Raced", ["a", "b"], { id: "raced" }));
    const starts = Array.from({ length: 8 }, (_, n) =>
      bench.fields("POST", "/workflows/raced/runs", { idempotency_key: "k", input: { n } }),
    );
    const ids = new Set((await Promise.all(starts)).map((run) => run["id"]));
    expect(ids.size).toBe(1);
    expect(((await bench.fields("GET", "/workflows/raced/runs"))["items"] as Fields[]).length).toBe(1);
  });

  it.each([
    ["{", 400, /^invalid run payload: ./],
    [[1], 400, /^invalid run payload: expected an object/],
    [{ input: "text" }, 400, /^invalid run payload: input: expected an object$/],
    [{ idempotency_key: 5 }, 400, /^invalid run payload: idempotency_key: expected a text$/],
    [{ idempotency_key: "x".repeat(201) }, 400, /^start run failed: idempotency_key: expected at most 200/],
  ])("refuses %j with %i", async (body, status, text) => {
    const answer = await bench.send("POST", "/workflows/pair/runs", body);
    expect([answer.status, answer.type.split(";")[0]]).toEqual([status, "text/plain"]);
    expect(answer.body).toMatch(text);
  });

  it("fails to start what is not there, as its clients know it", async () => {
    const { status, body } = await bench.send("POST", "/workflows/nobody/runs", {});
    expect([status, body]).toEqual([500, "start run failed: workflow not found"]);
  });
});

describe("GET /workflows/{id}/runs", () => {
  it("lists runs with their steps, newest first, as many as asked for", async () => {
    await bench.send("POST", "/workflows", chain("Many", ["a", "b"], { id: "many" }));
    const ids: unknown[] = [];
    for (let n = 0; n < 3; n += 1) ids.unshift((await bench.fields("POST", "/workflows/many/runs"))["id"]);
    const list = async (query: string) =>
      ((await bench.fields("GET", `/workflows/many/runs${query}`))["items"] as Fields[]).map((run) => run["id"]);
    expect(await list("")).toEqual(ids);
    expect(await list("?limit=2")).toEqual(ids.slice(0, 2));
    expect((await bench.send("GET", "/workflows/many/runs?limit=some")).status).toBe(400);
  });

  it("shows a cancelled run as that, and finds no other", async () => {
    await bench.send("POST", "/workflows", chain("Stopped", ["a", "b"], { id: "stopped" }));
    const { id } = await bench.fields("POST", "/workflows/stopped/runs");
    await cancelRun(bench.api.deps, { namespace: "default", actor: "test" }, String(id), "enough");
    await bench.api.settleRuns();
    expect(await bench.fields("GET", `/workflow-runs/${String(id)}`)).toMatchObject({
      status: "cancelled",
      steps: [{ status: "skipped" }, { status: "skipped" }],
    });
    for (const other of ["run-0000000000000001", "run-1", "x"]) {
      const { status, body } = await bench.send("GET", `/workflow-runs/${other}`);
      expect([status, body]).toEqual([404, "run not found"]);
    }
  });
});
