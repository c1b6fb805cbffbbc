import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { TaskSchema, TaskService, type TaskSpec, TaskSpecSchema, TaskState } from "@drover/proto/drover/task";
import { describe, expect, it, onTestFinished } from "vitest";
import { createTestDrover, type TestDroverOptions } from "./testing.ts";

/** A server that notes what it is given and answers as told. */
function setup({
  tasks = {},
  ...options
}: Omit<TestDroverOptions, "routes"> & { tasks?: Partial<ServiceImpl<typeof TaskService>> } = {}) {
  const submitted: TaskSpec[] = [];
  const folder = mkdtempSync(join(tmpdir(), "drover-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const own: Partial<ServiceImpl<typeof TaskService>> = {
    submitTask({ task }) {
      if (task !== undefined) submitted.push(task);
      return { id: "t1", created: true };
    },
    submitTasks(request) {
      submitted.push(...request.tasks);
      return {
        verdicts: request.tasks.map(({ id, priority }) =>
          priority > 100
            ? { id, fault: { reason: "invalid", message: "priority: too high" } }
            : { id: id || "made", created: true },
        ),
      };
    },
    ...tasks,
  };
  const drover = createTestDrover({ routes: (router) => void router.service(TaskService, own), ...options });
  const file = (text: string) => {
    const path = join(folder, "input");
    writeFileSync(path, text);
    return path;
  };
  return { drover, submitted, file, json: () => submitted.map((spec) => toJson(TaskSpecSchema, spec)) };
}

function state(word: keyof typeof TaskState, more = {}) {
  return { task: create(TaskSchema, { id: "t1", state: TaskState[word], ...more }) };
}

describe("drover task submit", () => {
  it("makes a task of its flags and of the command after --", async () => {
    const { drover, json } = setup();
    const flags =
      "--image busybox --class gpu --priority 5 --delay 10s --timeout 5m --retries 3 -l a=b -e K=V --mount /d:/data:ro --cpus 0.5 --memory 512m --id mine --key k";
    expect(await drover("task", "submit", ...flags.split(" "), "--", "echo", "hi")).toEqual({
      code: 0,
      out: "t1\n",
      err: "Submitted. Try: drover task watch t1\n",
    });
    expect(json()).toEqual([
      {
        id: "mine",
        idempotencyKey: "k",
        class: "gpu",
        priority: 5,
        delay: "10s",
        timeout: "300s",
        retry: { maxAttempts: 4 },
        labels: { a: "b" },
        execution: {
          executor: "EXECUTOR_DOCKER",
          image: "busybox",
          command: ["echo", "hi"],
          env: { K: "V" },
          mounts: [{ hostPath: "/d", mountPath: "/data", readOnly: true }],
          resources: { cpuMillicores: 500, memoryBytes: "536870912" },
        },
      },
    ]);
  });

  it("takes a payload as text, from a file, and from standard input", async () => {
    const { drover, json, file } = setup({ stdin: '[1, "é"]' });
    await drover("task", "submit", "--type", "resize", "--payload", '{"a": 1}');
    await drover("task", "submit", "--type", "resize", "--payload", `@${file("null")}`);
    await drover("task", "submit", "--type", "resize", "--payload", "@-");
    expect(json()).toEqual([
      { type: "resize", payload: { a: 1 } },
      { type: "resize", payload: null },
      { type: "resize", payload: [1, "é"] },
    ]);
  });

  it.each([
    [["--process"], "a command after"],
    [["--type", "x", "--", "y"], "got both"],
    [["--process", "--image", "i", "--", "y"], "--image or --process"],
    [["--type", "x", "--env", "A=b"], "--env with a command"],
    [["--type", "x", "--payload", "{a}"], "Expected JSON from --payload"],
    [["--type", "x", "--payload", "@/nowhere"], "at /nowhere: there is none"],
    [["--file", "/nowhere"], "at /nowhere: there is none"],
    [["--file", "/dev/null", "--image", "x"], "--image of a single task, or --file"],
    [["--file", "/dev/null", "--", "x"], "the command of a single task, or --file"],
  ])("refuses %j before anything is sent", async (args, message) => {
    const { drover, submitted } = setup();
    expect(await drover("task", "submit", ...args)).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining(message),
    });
    expect(submitted).toEqual([]);
  });
});

describe("waiting for a task", () => {
  it("ends with 0 when it completed and with 1 when it failed, and says why", async () => {
    const completed = setup({
      tasks: {
        async *watchTasks() {
          yield state("PENDING");
          yield state("COMPLETED", { attempt: 1 });
        },
      },
    });
    expect(await completed.drover("task", "submit", "--type", "x", "--wait")).toMatchObject({
      code: 0,
      out: "t1\n",
      err: expect.stringMatching(/^completed after /),
    });
    const failed = setup({
      tasks: {
        async *watchTasks() {
          yield state("FAILED", { attempt: 2, error: { class: "timeout", message: "It took too long." } });
        },
      },
    });
    const { code, err } = await failed.drover("task", "submit", "--type", "x", "--wait");
    expect(code).toBe(1);
    expect(err).toMatch(
      /^failed after \S+ at attempt 2: timeout: It took too long\.\nTry: drover task get t1, or drover task logs t1\n$/,
    );
  });

  it("that passes its deadline names the task, which goes on", async () => {
    const { drover } = setup({
      tasks: {
        async *watchTasks(_, { signal }) {
          yield state("RUNNING");
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      },
    });
    expect(await drover("task", "submit", "--type", "x", "--wait", "--deadline", "50ms")).toMatchObject({
      code: 5,
      err: "Error: Task t1 was not done by the deadline; it goes on.\nTry: drover task watch t1\n",
    });
  });

  it("goes on over a restart of the API, and tells nothing twice", async () => {
    let streams = 0;
    const { drover } = setup({
      tasks: {
        async *watchTasks() {
          streams += 1;
          yield state("RUNNING", { holder: "local" });
          if (streams === 1) throw new ConnectError("The server is stopping.", Code.Unavailable);
          yield state("COMPLETED");
        },
      },
    });
    const { code, out } = await drover("task", "watch", "t1");
    expect(code).toBe(0);
    expect(streams).toBe(2);
    expect(out.split("\n").map((line) => line.replace(/^\S+ +/, "").trimEnd())).toEqual([
      "t1  running     on local",
      "t1  completed",
      "",
    ]);
  });

  it("shows a log: stdout on stdout, the rest on stderr, and after a cut only what is new", async () => {
    const line = (stream: string, text: string, ms: number) => ({
      attempt: 1,
      stream,
      text,
      time: timestampFromMs(ms),
    });
    const stored = [
      line("stdout", "one", 1000),
      line("stderr", "two", 2000),
      line("stdout", "three", 2000),
      line("system", "done", 3000),
    ];
    const asked: number[] = [];
    const { drover } = setup({
      tasks: {
        async *getTaskLogs({ since }) {
          const sinceMs = since === undefined ? 0 : timestampMs(since);
          asked.push(sinceMs);
          const lines = stored.filter(({ time }) => timestampMs(time) >= sinceMs);
          yield { lines: lines.slice(0, 2) };
          if (asked.length === 1) throw new ConnectError("cut", Code.Unavailable);
          yield { lines: lines.slice(2) };
        },
      },
    });
    const { out, err } = await drover("task", "logs", "t1", "--follow");
    expect(asked).toEqual([0, 2000]);
    expect(out).toBe("one\nthree\n");
    expect(err).toBe("two\n[drover] done\n");
  });
});

describe("a file of tasks", () => {
  const lines = [
    '{"id":"a","execution":{"executor":"process","command":["true"]},"timeout":"5m","retry":{"baseDelay":"250ms"}}',
    "",
    "{bad",
    '{"id":"b","type":"x","class":"gpu","priority":101}',
    '{"typ":"x"}',
    "[1]",
    '{"type":"x","labels":{"own":"1"}}',
  ].join("\n");

  it("is told line by line, wrong lines among the right ones", async () => {
    const { drover, file, json } = setup();
    const { code, out, err } = await drover(
      "task",
      "submit",
      "--file",
      file(lines),
      "--class",
      "cpu_long",
      "-l",
      "batch=7",
      "--key",
      "k",
    );
    expect(code).toBe(1);
    const verdicts = ["1\tcreated\ta", "3\trefused", "4\trefused", "5\trefused", "6\trefused", "7\tcreated\tmade"];
    expect(out).toBe(`${verdicts.join("\n")}\n`);
    expect(err).toMatch(
      / line 3: Expected a JSON object.*\n +line 4: invalid: priority: too high\n +line 5: .*"typ" is unknown.*\n +line 6: .*\n2 submitted, 4 refused\.\n$/,
    );
    expect(json()).toEqual([
      {
        id: "a",
        class: "cpu_long",
        labels: { batch: "7" },
        execution: { executor: "EXECUTOR_PROCESS", command: ["true"] },
        timeout: "300s",
        retry: { baseDelay: "0.250s" },
      },
      { id: "b", type: "x", class: "gpu", priority: 101, labels: { batch: "7" } },
      { type: "x", class: "cpu_long", idempotencyKey: "k:7", labels: { batch: "7", own: "1" } },
    ]);
  });

  it("goes in batches of a thousand, from standard input too, with a verdict a line for programs", async () => {
    const sizes: number[] = [];
    const text = Array.from({ length: 2500 }, (_, index) => `{"id":"i${index}","type":"x"}\n`).join("");
    const { drover } = setup({
      stdin: text,
      tasks: {
        submitTasks({ tasks }) {
          sizes.push(tasks.length);
          return { verdicts: tasks.map(({ id }) => ({ id, created: false })) };
        },
      },
    });
    const { code, out } = await drover("task", "submit", "--file", "-", "--json");
    expect(code).toBe(0);
    expect(sizes).toEqual([1000, 1000, 500]);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown)[2499],
    ).toEqual({ line: 2500, id: "i2499", verdict: "repeated" });
  });

  it("says how far it came when the API goes away", async () => {
    const { drover, file } = setup({
      tasks: {
        submitTasks() {
          throw new ConnectError("gone", Code.Unavailable);
        },
      },
    });
    const { code, err } = await drover("task", "submit", "--file", file('\n{"type":"x"}\n{"type":"y"}\n'));
    expect(code).toBe(4);
    expect(err).toContain("Everything before line 2 has been submitted; of lines 2 to 3 it is not known.");
  });

  it("is waited for as a whole, with a bar on a terminal", async () => {
    const { drover, file } = setup({
      columns: 100,
      tasks: {
        async *watchTasks({ ids }) {
          for (const id of ids)
            yield { task: create(TaskSchema, { id, state: id === "b" ? TaskState.FAILED : TaskState.COMPLETED }) };
        },
      },
    });
    const { code, out, err } = await drover(
      "task",
      "submit",
      "--wait",
      "--file",
      file('{"id":"a","type":"x"}\n{"id":"b","type":"x"}\n{"id":"c","type":"x"}\n'),
    );
    expect(code).toBe(1);
    expect(err).toContain("100 %  3 of 3");
    expect(err).toMatch(/2 completed, 1 failed\.\n$/);
    expect(out).toContain("VERDICT");
  });
});

describe("cancelling and retrying", () => {
  it("goes through all ids, and ends with the code of the last refusal", async () => {
    const { drover } = setup({
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
