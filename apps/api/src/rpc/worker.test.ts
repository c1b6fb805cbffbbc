import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { TaskService, TaskState } from "@drover/proto/drover/task";
import { WorkerService } from "@drover/proto/drover/worker";
import { createRemoteSource } from "@drover/worker/remote";
import { createWorker } from "@drover/worker/worker";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

function setup() {
  return { tasks: createClient(TaskService, api.transport), workers: createClient(WorkerService, api.transport) };
}

describe("WorkerService", () => {
  it("carries a task from submit to its result, in batches", async () => {
    const { tasks, workers } = setup();
    const { session } = await workers.registerWorker({ name: "w1", types: ["add"] });
    await tasks.submitTasks({
      tasks: [1, 2, 3].map((value) => ({
        id: `add-${value}`,
        type: "add",
        payload: { kind: { case: "numberValue", value } },
      })),
    });
    const { tasks: claimed } = await workers.claimTasks({ session, maxTasks: 10 });
    expect(claimed.map((task) => [task.id, task.attempt, task.payload?.kind.value])).toEqual([
      ["add-1", 1, 1],
      ["add-2", 1, 2],
      ["add-3", 1, 3],
    ]);
    const completions = claimed
      .slice(0, 2)
      .map(({ key, fence }) => ({ key, fence, result: { kind: { case: "boolValue" as const, value: true } } }));
    expect((await workers.completeTasks({ session, completions })).stale).toEqual([]);
    expect((await workers.completeTasks({ session, completions })).stale).toHaveLength(2);
    const { task } = await tasks.getTask({ id: "add-1" });
    expect(task).toMatchObject({
      state: TaskState.COMPLETED,
      holder: "w1",
      result: { kind: { case: "boolValue", value: true } },
    });
    const { key, fence } = claimed[2] ?? { key: 0n, fence: 0n };
    expect((await workers.listHeldTasks({ session })).claims).toMatchObject([{ key, fence }]);
    expect(
      (
        await workers.failTasks({
          session,
          failures: [{ key, fence, class: "oops", message: "no", retryAfter: { seconds: 600n } }],
        })
      ).stale,
    ).toEqual([]);
    expect((await tasks.getTask({ id: "add-3" })).task).toMatchObject({
      state: TaskState.WAITING,
      pending: { reason: "retrying" },
    });
    await workers.deregisterWorker({ session });
  });

  it("wakes a claim that waits when a task comes", async () => {
    const { tasks, workers } = setup();
    const { session } = await workers.registerWorker({ name: "w2", types: ["late"] });
    const waiting = workers.claimTasks({ session, maxTasks: 1, wait: { seconds: 20n } });
    const { id } = await tasks.submitTask({ task: { type: "late" } });
    expect((await waiting).tasks.map((task) => task.id)).toEqual([id]);
    await workers.deregisterWorker({ session });
  });

  it("ends a session whose name was taken over", async () => {
    const { workers } = setup();
    const first = await workers.registerWorker({ name: "w3", types: ["x"] });
    await workers.registerWorker({ name: "w3", types: ["x"] });
    const fault = await workers
      .renewLease({ session: first.session })
      .catch((error: unknown) => ConnectError.from(error));
    expect(fault).toMatchObject({ code: Code.FailedPrecondition });
  });

  it("serves the SDK's worker as Postgres does", async () => {
    const { tasks } = setup();
    const source = createRemoteSource({ transport: api.transport, name: "remote", types: ["square"] });
    const worker = createWorker({
      source,
      handlers: { square: (payload) => Number(payload) ** 2 },
      log: createLog({ app: "test", level: "silent" }),
    });
    await worker.start();
    const ids = await Promise.all(
      Array.from(
        { length: 30 },
        async (_, value) =>
          (await tasks.submitTask({ task: { type: "square", payload: { kind: { case: "numberValue", value } } } })).id,
      ),
    );
    await expect
      .poll(async () => (await tasks.getTask({ id: ids[7] ?? "" })).task?.result?.kind.value, { timeout: 8000 })
      .toBe(49);
    const states = () => Promise.all(ids.map(async (id) => (await tasks.getTask({ id })).task?.state));
    await expect.poll(states, { timeout: 8000 }).toEqual(ids.map(() => TaskState.COMPLETED));
    await worker.stop();
  });
});
