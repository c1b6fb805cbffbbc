import { create, fromJson } from "@bufbuild/protobuf";
import { timestampFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { TaskSchema, TaskState } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { createTestDrover } from "../testing.ts";

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

describe("drover task get", () => {
  it("shows a task as facts", async () => {
    const drover = createTestDrover({ tasks: { getTask: () => ({ task }) } });
    const { code, out, err } = await drover("task", "get", "t1");
    expect(code).toBe(0);
    expect(err).toBe("");
    expect(out).toContain("State      failed\n");
    expect(out).toContain("Took       3m 12s\n");
    expect(out).toContain('Result     {"score":0.5}\n');
    expect(out).toContain("Error      exit_nonzero: The command exited with code 3.\n");
  });

  it("writes one JSON document with the words of the product", async () => {
    const drover = createTestDrover({ tasks: { getTask: () => ({ task }) } });
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
    const drover = createTestDrover({
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
      createTestDrover({
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
    const drover = createTestDrover({
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
    expect((await createTestDrover({ tasks, columns: 120 })("task", "list")).out).toContain(
      "\u001B[31mfailed\u001B[0m",
    );
    expect((await createTestDrover({ tasks })("task", "list")).out).not.toContain("\u001B");
    expect((await createTestDrover({ tasks, columns: 120 })("task", "list", "--no-color")).out).not.toContain("\u001B");
    expect((await createTestDrover({ tasks, columns: 120, env: { NO_COLOR: "1" } })("task", "list")).out).not.toContain(
      "\u001B",
    );
  });
});

describe("cancelling and retrying", () => {
  it("goes through all ids, and ends with the code of the last refusal", async () => {
    const drover = createTestDrover({
      tasks: {
        cancelTask({ id }) {
          if (id === "nope") throw new ConnectError("There is no such task.", Code.NotFound);
          return { state: id === "runs" ? TaskState.RUNNING : TaskState.CANCELLED };
        },
      },
    });
    const { code, out, err } = await drover("task", "cancel", "a", "nope", "runs");
    expect(code).toBe(3);
    expect(out).toBe("a  cancelled\nruns  cancelling: its holder has been asked. Try: drover task watch runs\n");
    expect(err).toBe("nope  Error: There is no such task.\n");
    expect(JSON.parse((await drover("task", "cancel", "a", "nope", "--json")).out)).toEqual([
      { id: "a", state: "cancelled" },
      { id: "nope", error: { reason: "not_found", message: "There is no such task." } },
    ]);
  });
});
