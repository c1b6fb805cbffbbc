import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { ClassService } from "@drover/proto/drover/class";
import { Executor, TaskService, TaskState } from "@drover/proto/drover/task";
import { createDirectSource } from "@drover/worker/direct";
import { createWorker, TaskFailure } from "@drover/worker/worker";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

function setup() {
  return { tasks: createClient(TaskService, api.transport), classes: createClient(ClassService, api.transport) };
}

function startWorker(types: Record<string, () => unknown>) {
  const source = createDirectSource({
    db: api.db,
    wakeups: api.wakeups,
    name: `worker-${Object.keys(types).join("-")}`,
    types: Object.keys(types),
  });
  const handlers = Object.fromEntries(
    Object.entries(types).map(([type, run]) => [type, async () => (await run()) as never]),
  );
  const worker = createWorker({ source, handlers, log: createLog({ app: "test", level: "silent" }) });
  return worker.start().then(() => worker);
}

async function faultOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => expect.unreachable("the call should have been refused"),
    (error: unknown) => ConnectError.from(error),
  );
}

describe("TaskService", () => {
  it("takes a task and tells all that was handed in", async () => {
    const { tasks } = setup();
    const { id, created } = await tasks.submitTask({
      task: {
        class: "cpu_long",
        execution: {
          image: "busybox",
          command: ["echo", "hi"],
          env: { A: "1" },
          resources: { cpuMillicores: 500, memoryBytes: 64n << 20n },
        },
        payload: { kind: { case: "stringValue", value: "input" } },
        priority: 7,
        labels: { team: "red" },
        timeout: { seconds: 90n },
        retry: { maxAttempts: 5, baseDelay: { seconds: 2n }, noRetryOn: ["oom_killed"] },
      },
    });
    expect(created).toBe(true);
    const { task } = await tasks.getTask({ id });
    expect(task).toMatchObject({
      id,
      namespace: "default",
      state: TaskState.PENDING,
      class: "cpu_long",
      executor: Executor.DOCKER,
      priority: 7,
      labels: { team: "red" },
      timeout: { seconds: 90n },
      retry: { maxAttempts: 5, baseDelay: { seconds: 2n }, noRetryOn: ["oom_killed"] },
      execution: {
        image: "busybox",
        command: ["echo", "hi"],
        env: { A: "1" },
        resources: { cpuMillicores: 500, memoryBytes: 64n << 20n },
      },
      payload: { kind: { case: "stringValue", value: "input" } },
      pending: { reason: "no_holder" },
    });
  });

  it("answers a repeated id with the first task, and refuses it with another body", async () => {
    const { tasks } = setup();
    const task = { id: "my-task", type: "resize", payload: { kind: { case: "numberValue" as const, value: 1 } } };
    expect(await tasks.submitTask({ task })).toMatchObject({ id: "my-task", created: true });
    expect(await tasks.submitTask({ task })).toMatchObject({ id: "my-task", created: false });
    const fault = await faultOf(tasks.submitTask({ task: { ...task, priority: 1 } }));
    expect(fault.code).toBe(Code.FailedPrecondition);
    expect(fault.rawMessage).toContain('Id "my-task" was used before with a different body');
  });

  it("names every field that breaks a rule", async () => {
    const { tasks } = setup();
    const fault = await faultOf(
      tasks.submitTask({
        task: {
          class: "No Such",
          priority: 1000,
          execution: { command: [], mounts: [{ hostPath: "relative", mountPath: "/x" }] },
        },
      }),
    );
    expect(fault.code).toBe(Code.InvalidArgument);
    for (const field of [
      "task.class",
      "task.priority",
      "task.execution.command",
      "task.execution.mounts[0].host_path",
    ]) {
      expect(fault.rawMessage).toContain(field);
    }
  });

  it("refuses a class that does not exist, and says what to do", async () => {
    const { tasks } = setup();
    const fault = await faultOf(tasks.submitTask({ task: { class: "no_such", type: "x" } }));
    expect(fault.code).toBe(Code.InvalidArgument);
    expect(fault.rawMessage).toContain('Expected a class that exists, got "no_such"');
  });

  it("gives each item of a batch its own verdict", async () => {
    const { tasks } = setup();
    const { verdicts } = await tasks.submitTasks({
      tasks: [
        { type: "batch" },
        { class: "no_such", type: "batch" },
        { class: "Bad Name", type: "batch" },
        { id: "b1", type: "batch" },
        { id: "b1", type: "other" },
        {},
      ],
    });
    expect(verdicts.map((verdict) => verdict.fault?.reason ?? verdict.created)).toEqual([
      true,
      "invalid",
      "invalid",
      true,
      "conflict",
      "invalid",
    ]);
    expect(verdicts[2]?.fault?.message).toContain("class");
  });

  it("takes ten thousand tasks in one call", async () => {
    const { tasks } = setup();
    const { verdicts } = await tasks.submitTasks({
      tasks: Array.from({ length: 10_000 }, () => ({ type: "many", class: "cpu_long" })),
    });
    expect(new Set(verdicts.map((verdict) => verdict.id)).size).toBe(10_000);
    const fault = await faultOf(tasks.submitTasks({ tasks: Array.from({ length: 10_001 }, () => ({ type: "many" })) }));
    expect(fault.code).toBe(Code.InvalidArgument);
  });

  it("lists in pages, newest first, by state, class, label and time", async () => {
    const { tasks, classes } = setup();
    await classes.createClass({ name: "listing" });
    const before = new Date();
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) {
      const { id } = await tasks.submitTask({ task: { class: "listing", type: "x", labels: { n: String(n % 2) } } });
      ids.unshift(id);
    }
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await tasks.listTasks({ class: "listing", pageSize: 3, pageToken });
      seen.push(...page.tasks.map((task) => task.id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(ids);
    const odd = await tasks.listTasks({ class: "listing", labels: { n: "1" } });
    expect(odd.tasks).toHaveLength(3);
    expect((await tasks.listTasks({ class: "listing", states: [TaskState.RUNNING] })).tasks).toEqual([]);
    const seconds = BigInt(Math.floor(before.getTime() / 1000) - 3600);
    expect((await tasks.listTasks({ class: "listing", createdBefore: { seconds } })).tasks).toEqual([]);
    const { nextPageToken } = await tasks.listTasks({ class: "listing", pageSize: 3 });
    const fault = await faultOf(tasks.listTasks({ class: "cpu_short", pageToken: nextPageToken }));
    expect(fault.code).toBe(Code.InvalidArgument);
  });

  it("shows a watcher each state once and ends when the task is final", async () => {
    const { tasks } = setup();
    let open = () => {};
    const door = new Promise<void>((resolve) => (open = resolve));
    const { id } = await tasks.submitTask({ task: { type: "watched" } });
    const seen: (TaskState | undefined)[] = [];
    const watching = (async () => {
      for await (const { task } of tasks.watchTasks({ ids: [id] })) seen.push(task?.state);
    })();
    await expect.poll(() => seen).toEqual([TaskState.PENDING]);
    const worker = await startWorker({ watched: () => door });
    await expect.poll(() => seen).toEqual([TaskState.PENDING, TaskState.RUNNING]);
    open();
    await watching;
    expect(seen).toEqual([TaskState.PENDING, TaskState.RUNNING, TaskState.COMPLETED]);
    await worker.stop();
  });

  it("cancels what waits at once, and what runs when its holder has confirmed", async () => {
    const { tasks } = setup();
    const waiting = await tasks.submitTask({ task: { type: "nobody", delay: { seconds: 60n } } });
    expect((await tasks.getTask({ id: waiting.id })).task).toMatchObject({
      state: TaskState.WAITING,
      pending: { reason: "delayed" },
    });
    expect(await tasks.cancelTask({ id: waiting.id, reason: "no longer needed" })).toMatchObject({
      state: TaskState.CANCELLED,
    });
    expect((await tasks.getTask({ id: waiting.id })).task?.error?.message).toBe("no longer needed");

    const source = createDirectSource({ db: api.db, wakeups: api.wakeups, name: "canceller", types: ["long"] });
    const worker = createWorker({
      source,
      handlers: {
        long: (_, { signal }) =>
          new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("stopped")))),
      },
      log: createLog({ app: "test", level: "silent" }),
    });
    await worker.start();
    const { id } = await tasks.submitTask({ task: { type: "long" } });
    await expect.poll(async () => (await tasks.getTask({ id })).task?.state).toBe(TaskState.RUNNING);
    expect(await tasks.cancelTask({ id, reason: "enough" })).toMatchObject({ state: TaskState.RUNNING });
    await expect.poll(async () => (await tasks.getTask({ id })).task?.state).toBe(TaskState.CANCELLED);
    expect((await tasks.getTask({ id })).task?.error).toMatchObject({ class: "cancelled", message: "enough" });
    await worker.stop();
  });

  it("puts a dead letter back into its queue, with its attempts kept", async () => {
    const { tasks } = setup();
    let isMended = false;
    const worker = await startWorker({
      fragile: () => {
        if (!isMended) throw new TaskFailure("broken", "it broke");
        return "mended";
      },
    });
    const { id } = await tasks.submitTask({ task: { type: "fragile", retry: { maxAttempts: 1 } } });
    await expect.poll(async () => (await tasks.getTask({ id })).task?.state).toBe(TaskState.FAILED);
    isMended = true;
    expect(await tasks.retryTask({ id })).toMatchObject({ state: TaskState.PENDING });
    await expect.poll(async () => (await tasks.getTask({ id })).task?.state).toBe(TaskState.COMPLETED);
    expect((await faultOf(tasks.retryTask({ id }))).code).toBe(Code.FailedPrecondition);
    await worker.stop();
  });

  it("says not found in a sentence with the id in it", async () => {
    const { tasks } = setup();
    const request = { id: "ghost" };
    for (const call of [tasks.getTask, tasks.cancelTask, tasks.retryTask] as const) {
      const fault = await faultOf(call(request));
      expect(fault.code).toBe(Code.NotFound);
      expect(fault.rawMessage).toContain('"ghost"');
    }
  });

  it("says why a task is pending", async () => {
    const { tasks, classes } = setup();
    await classes.createClass({ name: "paused" });
    await classes.pauseClass({ name: "paused" });
    const { id } = await tasks.submitTask({ task: { class: "paused", type: "x" } });
    expect((await tasks.getTask({ id })).task?.pending?.reason).toBe("class_paused");
    await classes.resumeClass({ name: "paused" });
    expect((await tasks.getTask({ id })).task?.pending?.reason).toBe("no_holder");
  });

  it("refuses a submit over a class's depth limit, with a time to come back", async () => {
    const { tasks, classes } = setup();
    await classes.createClass({ name: "shallow", depthLimit: 2n });
    const one = () => tasks.submitTask({ task: { class: "shallow", type: "x" } });
    await one();
    await one();
    const fault = await faultOf(one());
    expect(fault.code).toBe(Code.ResourceExhausted);
    expect(fault.metadata.get("retry-after")).toBe("1");
  });
});
