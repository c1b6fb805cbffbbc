import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { NodeState } from "@drover/proto/drover/node";
import { type Task, TaskSchema, TaskState } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { createTestDrover } from "./testing.ts";

function withState(state: Task["state"], id = "t1"): Task {
  return create(TaskSchema, { id, state });
}

describe("a refusal", () => {
  it("lists the faults by field, from whatever the server attached", async () => {
    // A google.rpc.BadRequest on the wire: two violations, each with field and description.
    const violation = (field: string, text: string) =>
      bytes(1, Buffer.concat([bytes(1, Buffer.from(field)), bytes(2, Buffer.from(text))]));
    const value = Buffer.concat([violation("task.class", "must be a word"), violation("task.priority", "too high")]);
    const drover = createTestDrover({
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
    const drover = createTestDrover({
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
    const drover = createTestDrover({
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
    expect(await createTestDrover()("status", "--address", "ftp://x")).toMatchObject({
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
    const late = await createTestDrover({ tasks: forever })("task", "watch", "t1", "--deadline", "50ms");
    expect(late).toMatchObject({ code: 5, err: expect.stringContaining("The deadline of 0.05 s passed") });
    const stop = new AbortController();
    const watching = createTestDrover({ tasks: forever, stop: stop.signal })("task", "watch", "t1");
    stop.abort("SIGINT");
    expect(await watching).toMatchObject({ code: 130, err: "Interrupted.\n" });
  });
});

describe("drover class and node", () => {
  it("limit a class by a number or not at all", async () => {
    const asked: unknown[] = [];
    const drover = createTestDrover({
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
      facts: { memory_bytes: "1073741824" },
    };
    const drover = createTestDrover({ nodes: { listNodes: () => ({ nodes: [node] }), getNode: () => ({ node }) } });
    expect((await drover("node", "list")).out).toContain("cpu_short=4 gpu=1");
    expect((await drover("node", "get", "n1")).out).toMatch(/^Memory +1 GiB$/m);
  });
});

describe("help", () => {
  it("exists for every level, and names the exit codes", async () => {
    const drover = createTestDrover();
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
