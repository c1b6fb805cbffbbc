import { Code } from "@connectrpc/connect";
import { findKeys, getTaskDetails } from "@drover/db/query/task";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { cancelTask } from "../../operation/cancel-task.ts";
import { createOrchestratorBench, type OrchestratorBench } from "./testing.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

// What a Python client's str() makes of {"image": "busybox", "command": ["echo", "it's"], "env": {"A": 1}, ...}.
const execution = `{'image': 'busybox', 'command': ['echo', "it's"], 'env': {'A': 1}, 'timeout_seconds': 60}`;

describe("SubmitTask", () => {
  it("echoes the client's id, trimmed, and knows its status at once", async () => {
    const answer = await bench.client.submitTask({ id: "  episode-1 ", payload: { execution } });
    expect(answer).toMatchObject({ success: true, taskId: "episode-1", error: "" });
    expect(await bench.client.getTaskStatus({ taskId: " episode-1" })).toMatchObject({
      taskId: "episode-1",
      status: "pending",
      result: {},
      error: "",
    });
  });

  it("makes an id where the client has none", async () => {
    const { success, taskId } = await bench.client.submitTask({ id: " ", payload: { execution } });
    expect(success).toBe(true);
    expect(taskId).toMatch(/^t[0-9a-z]{13}$/);
    expect(await bench.client.getTaskStatus({ taskId })).toMatchObject({ taskId, status: "pending" });
  });

  it("decodes what Python clients make of nested values, and stores how to run it", async () => {
    const payload = {
      execution,
      flag: "True",
      none: "None",
      count: "3",
      text: "plain words",
      config_json: '{"a": [1]}',
    };
    await bench.client.submitTask({ id: "decoded", class: "cpu_long", priority: 7, workflowId: "wf-9", payload });
    expect(await storedTask("decoded")).toMatchObject({
      class: "cpu_long",
      executor: "docker",
      priority: 7,
      timeout_seconds: 60,
      labels: { workflow_id: "wf-9" },
      retry: { maxAttempts: 1 },
      payload: { flag: true, none: null, count: 3, text: "plain words", config_json: { a: [1] }, workflow_id: "wf-9" },
      execution: { image: "busybox", command: ["echo", "it's"], env: { A: "1" } },
    });
  });

  it("clamps priorities to what the queue knows", async () => {
    await bench.client.submitTask({ id: "urgent", priority: 2_000_000_000, payload: { execution } });
    await bench.client.submitTask({ id: "idle", priority: -2_000_000_000, payload: { execution } });
    expect((await storedTask("urgent"))?.priority).toBe(100);
    expect((await storedTask("idle"))?.priority).toBe(-100);
  });

  it("runs what names no image as a process", async () => {
    await bench.client.submitTask({ id: "no-image", payload: { execution: "{'command': ['true']}" } });
    expect(await storedTask("no-image")).toMatchObject({ executor: "process", execution: { command: ["true"] } });
  });

  it.each(["gpu_short", "gpu_long"])("takes %s for gpu", async (name) => {
    expect(await bench.client.submitTask({ id: name, class: name, payload: { execution } })).toMatchObject({
      success: true,
    });
    expect((await storedTask(name))?.class).toBe("gpu");
  });

  it("answers an unknown class with success false and a text, not with an error of the protocol", async () => {
    const answer = await bench.client.submitTask({ id: "lost", class: "quantum", payload: { execution } });
    expect(answer).toMatchObject({ success: false, taskId: "lost" });
    expect(answer.error).toContain('got "quantum"');
  });

  it("accepts the same id with the same body again, and refuses it with another one", async () => {
    const body = { id: "twice", payload: { execution, a: "1" } };
    expect(await bench.client.submitTask(body)).toMatchObject({ success: true, taskId: "twice" });
    expect(await bench.client.submitTask(body)).toMatchObject({ success: true, taskId: "twice", error: "" });
    const other = await bench.client.submitTask({ ...body, payload: { execution, a: "2" } });
    expect(other).toMatchObject({ success: false, taskId: "twice" });
    expect(other.error).toContain("different body");
  });

  it.each([
    ["too long", "x".repeat(201), "at most 200 characters"],
    ["with NUL", "a\0b", "without NUL"],
    ["in the form of the server's own", "t0s87r5pwsp000", "of your own choice"],
  ])("refuses an id that is %s", async (_, id, text) => {
    const answer = await bench.client.submitTask({ id, payload: { execution } });
    expect(answer.success).toBe(false);
    expect(answer.error).toContain(text);
  });

  it("refuses a payload that is too large, whether it could run or not", async () => {
    const data = "x".repeat(300_000);
    for (const payload of [{ execution, data }, { data }]) {
      const answer = await bench.client.submitTask({ payload });
      expect(answer.success).toBe(false);
      expect(answer.error).toContain("at most 262144 bytes");
    }
  });
});

describe("a task that nothing can run", () => {
  it("is accepted and failed at once with the text that clients know", async () => {
    expect(await bench.client.submitTask({ id: "nothing", payload: { a: "1" } })).toMatchObject({
      success: true,
      taskId: "nothing",
    });
    expect(await bench.client.getTaskStatus({ taskId: "nothing" })).toMatchObject({
      status: "failed",
      error: "payload.execution section is required",
    });
  });

  it("is told apart by its body like any other", async () => {
    const body = { id: "nothing-twice", payload: { a: "1" } };
    expect(await bench.client.submitTask(body)).toMatchObject({ success: true });
    expect(await bench.client.submitTask(body)).toMatchObject({ success: true, taskId: "nothing-twice" });
    expect(await bench.client.submitTask({ ...body, payload: { a: "2" } })).toMatchObject({ success: false });
  });

  it("names every fault of an execution that cannot be read", async () => {
    const faulty = "{'command': 'echo', 'mounts': [{'host_path': 'etc', 'mount_path': '/etc'}], 'timeout_seconds': -1}";
    expect(await bench.client.submitTask({ id: "faulty", payload: { execution: faulty } })).toMatchObject({
      success: true,
    });
    const { status, error } = await bench.client.getTaskStatus({ taskId: "faulty" });
    expect(status).toBe("failed");
    for (const field of ["command", "mounts[0].host_path", "timeout_seconds"])
      expect(error).toContain(`payload.execution.${field}: `);
  });

  it("is the same request as before once a worker has come", async () => {
    const body = { id: "late-worker", payload: { task_type: "late", a: "1" } };
    expect(await bench.client.submitTask(body)).toMatchObject({ success: true });
    const worker = await bench.startWorker({ late: () => null });
    expect(await bench.client.submitTask(body)).toMatchObject({ success: true, taskId: "late-worker", error: "" });
    expect(await bench.client.getTaskStatus({ taskId: "late-worker" })).toMatchObject({ status: "failed" });
    await worker.stop();
  });
});

describe("GetTaskStatus", () => {
  it("asks for an id", async () => {
    await expect(bench.client.getTaskStatus({ taskId: " " })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "task_id is required",
    });
  });

  it.each(["never-submitted", "t0s87r5pwsp000"])("does not find %s", async (taskId) => {
    await expect(bench.client.getTaskStatus({ taskId })).rejects.toMatchObject({
      code: Code.NotFound,
      rawMessage: "task not found",
    });
  });
});

describe("tasks with a worker", () => {
  it("run to their end, and their results are texts", async () => {
    const worker = await bench.startWorker({
      double: (payload) => ({ data: { doubled: 2 * (payload as { n: number }).n }, note: "done", ok: true }),
      default: () => {
        throw new Error("the handler gave up");
      },
    });
    await bench.client.submitTask({ id: "double-1", payload: { task_type: "double", n: "21", workflow_id: "wf-1" } });
    await bench.client.submitTask({ id: "gives-up", payload: {} });
    await vi.waitFor(async () => expect(await statusOf("double-1")).toBe("completed"), { timeout: 10_000 });
    const { result, error } = await bench.client.getTaskStatus({ taskId: "double-1" });
    expect(error).toBe("");
    expect(result).toMatchObject({
      class: "cpu_short",
      workflow_id: "wf-1",
      data: '{"doubled":42}',
      note: "done",
      ok: "true",
    });
    expect(Number(result["latency_ms"])).toBeGreaterThanOrEqual(0);
    // One attempt and no more: these clients take the first failure for the end.
    await vi.waitFor(async () => expect(await statusOf("gives-up")).toBe("failed"), { timeout: 10_000 });
    expect((await bench.client.getTaskStatus({ taskId: "gives-up" })).error).toBe("the handler gave up");
    await worker.stop();
  });

  it("say where they run while they do, and are failed with a text when cancelled", async () => {
    let begun = () => {};
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const worker = await bench.startWorker({
      slow: (_, { signal }) =>
        new Promise((_resolve, reject) => (begun(), signal.addEventListener("abort", () => reject(signal.reason)))),
    });
    await bench.client.submitTask({
      id: "slow-1",
      payload: { task_type: "slow", tenant: "gepa", workflow_id: "wf-2" },
    });
    await hasBegun;
    const { status, result } = await bench.client.getTaskStatus({ taskId: "slow-1" });
    expect(status).toBe("running");
    expect(result).toMatchObject({ class: "cpu_short", tenant: "gepa", workflow_id: "wf-2", source: "runner" });
    expect(Number.isNaN(Date.parse(result["started_at"] ?? ""))).toBe(false);

    await cancelTask(bench.deps, { namespace: "default", actor: "test" }, "slow-1", "no longer needed");
    await vi.waitFor(async () => expect(await statusOf("slow-1")).toBe("failed"), { timeout: 10_000 });
    expect((await bench.client.getTaskStatus({ taskId: "slow-1" })).error).toBe(
      "The task was cancelled: no longer needed",
    );
    await worker.stop();
  });
});

describe("Health", () => {
  it("answers what clients compare, and names what is wrong when something is", async () => {
    const services = { orchestrator: "healthy", grpc_server: "healthy" };
    expect(await bench.client.health({})).toMatchObject({ healthy: true, version: "0.1.0", services });
    bench.health.report("database", { ok: false, message: "gone" });
    const answer = await bench.client.health({});
    bench.health.report("database", { ok: true });
    expect(answer).toMatchObject({ healthy: false, version: "0.1.0" });
    expect(answer.services).toEqual({ orchestrator: "unhealthy", grpc_server: "healthy", database: "unhealthy: gone" });
  });
});

async function statusOf(taskId: string): Promise<string> {
  return (await bench.client.getTaskStatus({ taskId })).status;
}

async function storedTask(id: string) {
  const namespaceId = await bench.deps.directory.namespaceId("default");
  const key = (await findKeys(bench.db, namespaceId, [id])).get(id);
  const [row] = key === undefined ? [] : await getTaskDetails(bench.db, namespaceId, [key]);
  return row;
}
