import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { TaskSchema, TaskState } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { createSubmitServer } from "./testing-submit.ts";

function state(word: keyof typeof TaskState, more = {}) {
  return { task: create(TaskSchema, { id: "t1", state: TaskState[word], ...more }) };
}

describe("drover task submit", () => {
  it("makes a task of its flags and of the command after --", async () => {
    const { drover, json } = createSubmitServer();
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
    const { drover, json, file } = createSubmitServer({ stdin: '[1, "é"]' });
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
    const { drover, submitted } = createSubmitServer();
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
    const completed = createSubmitServer({
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
    const failed = createSubmitServer({
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
    const { drover } = createSubmitServer({
      tasks: {
        async *watchTasks(_, { signal }) {
          yield state("RUNNING");
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      },
    });
    expect(await drover("task", "submit", "--type", "x", "--wait", "--deadline", "1s")).toMatchObject({
      code: 5,
      err: "Error: Task t1 was not done by the deadline; it goes on.\nTry: drover task watch t1\n",
    });
  });

  it("goes on over a restart of the API, and tells nothing twice", async () => {
    let streams = 0;
    const { drover } = createSubmitServer({
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
    const { drover } = createSubmitServer({
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
