import { create, fromJson } from "@bufbuild/protobuf";
import { timestampFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { ClassService } from "@drover/proto/drover/class";
import { NodeService, NodeState } from "@drover/proto/drover/node";
import { type Task, TaskSchema, TaskService, TaskState } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { createTestDrover, type TestDroverOptions } from "./testing.ts";

interface Setup extends Omit<TestDroverOptions, "routes"> {
  tasks?: Partial<ServiceImpl<typeof TaskService>>;
  classes?: Partial<ServiceImpl<typeof ClassService>>;
  nodes?: Partial<ServiceImpl<typeof NodeService>>;
}

function setup({ tasks = {}, classes = {}, nodes = {}, ...options }: Setup) {
  const routes = (router: ConnectRouter) =>
    void router.service(TaskService, tasks).service(ClassService, classes).service(NodeService, nodes);
  return createTestDrover({ routes, ...options });
}

const task = create(TaskSchema, {
  id: "t1",
  namespace: "default",
  state: TaskState.FAILED,
  class: "cpu_short",
  executor: 2,
  attempt: 3,
  holder: "local",
  createdAt: timestampFromMs(Date.UTC(2026, 0, 1)),
  startedAt: timestampFromMs(Date.UTC(2026, 0, 1, 0, 1)),
  finishedAt: timestampFromMs(Date.UTC(2026, 0, 1, 0, 4, 12)),
  error: { class: "exit_nonzero", message: "The command exited with code 3." },
  result: fromJson(ValueSchema, { score: 0.5 }),
});

function withState(state: Task["state"], id = "t1"): Task {
  return create(TaskSchema, { id, state });
}

describe("drover task get", () => {
  it("shows a task as facts", async () => {
    const drover = setup({ tasks: { getTask: () => ({ task }) } });
    const { code, out, err } = await drover("task", "get", "t1");
    expect(code).toBe(0);
    expect(err).toBe("");
    expect(out).toContain("State      failed\n");
    expect(out).toContain("Took       3m 12s\n");
    expect(out).toContain('Result     {"score":0.5}\n');
    expect(out).toContain("Error      exit_nonzero: The command exited with code 3.\n");
  });

  it("writes one JSON document with the words of the product", async () => {
    const drover = setup({ tasks: { getTask: () => ({ task }) } });
    const { out } = await drover("task", "get", "t1", "--json");
    expect(JSON.parse(out)).toMatchObject({
      id: "t1",
      state: "failed",
      executor: "process",
      result: { score: 0.5 },
      priority: 0,
    });
  });

  it("says what to type next when there is no such task", async () => {
    const drover = setup({
      tasks: {
        getTask: ({ id }) => {
          throw new ConnectError(`There is no task "${id}". List the tasks with "drover task list".`, Code.NotFound);
        },
      },
    });
    expect(await drover("task", "get", "nope")).toEqual({
      code: 3,
      out: "",
      err: 'Error: There is no task "nope".\nTry: drover task list\n',
    });
    const { code, err } = await drover("task", "get", "nope", "--json");
    expect(code).toBe(3);
    expect(JSON.parse(err)).toEqual({
      error: { reason: "not_found", message: 'There is no task "nope".', try: "drover task list" },
    });
  });

  it("asks again when the API is away for a moment, but not for ever", async () => {
    let calls = 0;
    const failTimes = (times: number) =>
      setup({
        tasks: {
          getTask() {
            calls += 1;
            if (calls <= times) throw new ConnectError("The server is stopping.", Code.Unavailable);
            return { task };
          },
        },
      });
    expect((await failTimes(1)("task", "get", "t1")).code).toBe(0);
    expect(calls).toBe(2);
    calls = 0;
    expect(await failTimes(99)("task", "get", "t1")).toMatchObject({
      code: 4,
      err: expect.stringContaining("The server is stopping."),
    });
    expect(calls).toBe(4);
  });
});

describe("drover task list", () => {
  it("asks for the namespace, the filters and as many pages as it takes", async () => {
    const asked: unknown[] = [];
    const drover = setup({
      env: { DROVER_NAMESPACE: "blue" },
      tasks: {
        listTasks(request, { requestHeader }) {
          const { pageSize, states, labels, pageToken } = request;
          asked.push({ pageSize, states, labels, pageToken, namespace: requestHeader.get("drover-namespace") });
          return { tasks: [task], nextPageToken: asked.length < 2 ? "next" : "" };
        },
      },
    });
    const { out } = await drover("task", "list", "--state", "failed,running", "-l", "a=b", "--limit", "7", "--json");
    expect(JSON.parse(out)).toHaveLength(2);
    expect(asked).toEqual([
      {
        pageSize: 7,
        states: [TaskState.FAILED, TaskState.RUNNING],
        labels: { a: "b" },
        pageToken: "",
        namespace: "blue",
      },
      {
        pageSize: 6,
        states: [TaskState.FAILED, TaskState.RUNNING],
        labels: { a: "b" },
        pageToken: "next",
        namespace: "blue",
      },
    ]);
  });

  it("colours states for people only, and not where that is not wanted", async () => {
    const tasks = { listTasks: () => ({ tasks: [task] }) };
    expect((await setup({ tasks, columns: 120 })("task", "list")).out).toContain("\u001B[31mfailed\u001B[0m");
    expect((await setup({ tasks })("task", "list")).out).not.toContain("\u001B");
    expect((await setup({ tasks, columns: 120 })("task", "list", "--no-color")).out).not.toContain("\u001B");
    expect((await setup({ tasks, columns: 120, env: { NO_COLOR: "1" } })("task", "list")).out).not.toContain("\u001B");
  });
});

describe("a refusal", () => {
  it("lists the faults by field, from whatever the server attached", async () => {
    // A google.rpc.BadRequest on the wire: two violations, each with field and description.
    const violation = (field: string, text: string) =>
      bytes(1, Buffer.concat([bytes(1, Buffer.from(field)), bytes(2, Buffer.from(text))]));
    const value = Buffer.concat([violation("task.class", "must be a word"), violation("task.priority", "too high")]);
    const drover = setup({
      tasks: {
        submitTask() {
          const error = new ConnectError(
            "The request is not valid: task.class must be a word; task.priority too high.",
            Code.InvalidArgument,
          );
          error.details.push({ type: "google.rpc.BadRequest", value });
          throw error;
        },
      },
    });
    expect(await drover("task", "submit", "--type", "x")).toEqual({
      code: 2,
      out: "",
      err: "Error: The request is not valid.\n  task.class: must be a word\n  task.priority: too high\nTry: drover task submit --help\n",
    });
  });

  it("is not repeated as a list where its sentence says it all", async () => {
    const drover = setup({
      tasks: {
        submitTask() {
          const error = new ConnectError("execution.image: expected an image, got none.", Code.InvalidArgument);
          const violation = Buffer.concat([
            bytes(1, Buffer.from("execution.image")),
            bytes(2, Buffer.from("expected an image, got none")),
          ]);
          error.details.push({ type: "google.rpc.BadRequest", value: bytes(1, violation) });
          throw error;
        },
      },
    });
    const { err } = await drover("task", "submit", "--", "x");
    expect(err).toBe("Error: execution.image: expected an image, got none.\nTry: drover task submit --help\n");
  });

  it.each([
    [Code.FailedPrecondition, 1],
    [Code.ResourceExhausted, 1],
    [Code.Internal, 1],
    [Code.InvalidArgument, 2],
    [Code.NotFound, 3],
    [Code.Unavailable, 4],
    [Code.DeadlineExceeded, 5],
  ])("of code %i ends with exit code %i and a next command", async (code, exit) => {
    const drover = setup({
      classes: {
        pauseClass() {
          throw new ConnectError("No.", code);
        },
      },
    });
    expect(await drover("class", "pause", "x")).toMatchObject({
      code: exit,
      err: expect.stringMatching(/^Error: No\.\nTry: .+\n$/),
    });
  });

  it("of the address comes before any call", async () => {
    expect(await setup({})("status", "--address", "ftp://x")).toMatchObject({
      code: 2,
      err: expect.stringContaining('got "ftp://x"'),
    });
  });
});

describe("the deadline and an interruption", () => {
  const forever = {
    async *watchTasks(_: unknown, { signal }: { signal: AbortSignal }) {
      yield { task: withState(TaskState.RUNNING) };
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  };

  it("end a wait with exit code 5 and 130", async () => {
    const late = await setup({ tasks: forever })("task", "watch", "t1", "--deadline", "50ms");
    expect(late).toMatchObject({ code: 5, err: expect.stringContaining("The deadline of 0.05 s passed") });
    const stop = new AbortController();
    const watching = setup({ tasks: forever, stop: stop.signal })("task", "watch", "t1");
    stop.abort("SIGINT");
    expect(await watching).toMatchObject({ code: 130, err: "Interrupted.\n" });
  });
});

describe("drover class and node", () => {
  it("limit a class by a number or not at all", async () => {
    const asked: unknown[] = [];
    const drover = setup({
      classes: {
        setClassLimit({ name, concurrencyLimit }) {
          asked.push(concurrencyLimit);
          return {
            class: {
              name,
              running: 3n,
              pending: 12_345n,
              paused: true,
              ...(concurrencyLimit !== undefined && { concurrencyLimit }),
            },
          };
        },
      },
    });
    expect((await drover("class", "limit", "gpu", "8")).out).toMatch(/gpu +paused +3 +8 +12,345 +0 +- +-\n$/);
    expect(JSON.parse((await drover("class", "limit", "gpu", "none", "--json")).out)).toMatchObject({
      pending: 12_345,
      concurrencyLimit: null,
    });
    expect(asked).toEqual([8, undefined]);
    expect(await drover("class", "limit", "gpu", "lots")).toMatchObject({ code: 2 });
  });

  it("show nodes with their slots, and the facts of one", async () => {
    const node = {
      name: "n1",
      state: NodeState.READY,
      slots: { gpu: 1, cpu_short: 4 },
      executors: ["docker"],
      facts: { memoryBytes: "1073741824" },
    };
    const drover = setup({ nodes: { listNodes: () => ({ nodes: [node] }), getNode: () => ({ node }) } });
    expect((await drover("node", "list")).out).toContain("cpu_short=4 gpu=1");
    expect((await drover("node", "get", "n1")).out).toContain("memoryBytes  1 GiB");
  });
});

describe("help", () => {
  it("exists for every level, and names the exit codes", async () => {
    const drover = setup({});
    const all = await drover();
    expect(all).toMatchObject({ code: 0, err: "" });
    expect(all.out).toContain("Exit codes\n  0    done");
    expect((await drover("task")).out).toContain("task submit");
    const one = await drover("task", "submit", "--help");
    expect(one.out).toContain("drover task submit [flags] [-- COMMAND]");
    expect(one.out).toContain("# Run a command in a container\n  drover task submit --image busybox -- echo hello");
    expect((await drover("version")).out).toMatch(/^drover \d+\.\d+\.\d+ \(node v24\.0\.0\)\n$/);
  });
});

function bytes(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2, content.length]), content]);
}
