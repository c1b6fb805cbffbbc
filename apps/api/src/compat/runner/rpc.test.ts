import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { EnvRunner } from "@drover/proto/runner/runner";
import { TaskService } from "@drover/proto/drover/task";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestNode } from "../../testing-node.ts";
import { createTestApi, type TestApi } from "../../testing.ts";

let api: TestApi;
let node: Awaited<ReturnType<typeof startTestNode>>;

// 2026-01-02T03:04:05.678Z
const atMs = 1_767_323_045_678;

beforeAll(async () => {
  api = await createTestApi();
  node = await startTestNode({
    db: api.db,
    onTask({ execution }) {
      const { command } = execution as { command: string[] };
      return {
        exitCode: Number(command[1] ?? 0),
        lines: [
          ["stdout", atMs, `${command[0]} runs`],
          ["stderr", atMs + 1, "a warning"],
        ],
        result: { runnerOutput: { outputs: [{ name: "weights", shape: [2, 3], dtype: "f32" }] } },
      };
    },
  });
});
afterAll(async () => {
  await node.stop();
  await api.close();
});

const setup = () => ({
  runner: createClient(EnvRunner, api.transport),
  tasks: createClient(TaskService, api.transport),
});

const logs = [
  { ts: "2026-01-02T03:04:05.678Z", level: "info", msg: "train runs" },
  { ts: "2026-01-02T03:04:05.679Z", level: "error", msg: "a warning" },
];

describe("EnvRunner.Run", () => {
  it("answers with the exit code, the log and the tensors that the container told of", async () => {
    const { runner } = setup();
    const result = await runner.run({ env: { ociImage: "trainer:1", argv: ["train"] } });
    expect(result).toMatchObject({ exitCode: 0, logs, outputs: [{ name: "weights", shape: [2n, 3n], dtype: "f32" }] });
  });

  it("answers a container that failed with its exit code, and no error of the protocol", async () => {
    const { runner } = setup();
    const result = await runner.run({ env: { ociImage: "trainer:1", argv: ["train", "3"] } });
    expect(result).toMatchObject({ exitCode: 3, logs });
  });

  it("hands on what the request says, pinned to its digest", async () => {
    const { runner, tasks } = setup();
    const contentDigest = `sha256:${"a1".repeat(32)}`;
    await runner.run({
      jobId: "job-1",
      runId: "whole",
      inputs: [{ name: "x", shape: [4n], dtype: "i64" }],
      env: {
        ociImage: "trainer:1",
        argv: ["train"],
        env: { EPOCHS: "2" },
        mounts: [{ hostPath: "/data", mountPath: "/in", readOnly: true }],
        hardTimeoutMs: 1500n,
        resources: { cpuMillicores: 500, memBytes: 1n << 30n },
        contentDigest,
      },
    });
    const { task } = await tasks.getTask({ id: "whole" });
    expect(task).toMatchObject({
      class: "cpu_short",
      labels: { job_id: "job-1" },
      timeout: { seconds: 2n },
      execution: {
        image: `trainer:1@${contentDigest}`,
        command: ["train"],
        env: { EPOCHS: "2" },
        mounts: [{ hostPath: "/data", mountPath: "/in", readOnly: true }],
        resources: { cpuMillicores: 500, memoryBytes: 1n << 30n },
      },
    });
  });

  it("runs once for one run_id, and gives the end of it to whoever asks again", async () => {
    const { runner, tasks } = setup();
    const request = { runId: "once", env: { ociImage: "trainer:1", argv: ["train", "7"] } };
    const [first, second] = await Promise.all([runner.run(request), runner.run(request)]);
    expect([first.exitCode, second.exitCode]).toEqual([7, 7]);
    expect((await tasks.getTask({ id: "once" })).task?.attempt).toBe(1);
    const other = runner.run({ ...request, env: { ...request.env, argv: ["other"] } });
    await expect(other).rejects.toThrow("different body");
  });

  it("runs equal work once where its image is pinned, and again where it failed or is named", async () => {
    const { runner, tasks } = setup();
    const count = async () => (await tasks.listTasks({ pageSize: 1000 })).tasks.length;
    const contentDigest = `sha256:${"c0".repeat(32)}`;
    const env = { ociImage: "trainer:1", contentDigest, argv: ["train"] };
    const before = await count();
    const answers = [await runner.run({ jobId: "a", env }), await runner.run({ jobId: "b", env })];
    await Promise.all([1, 2, 3].map(() => runner.run({ env: { ...env, argv: ["other"] } })));
    expect(answers[1]).toEqual(answers[0]);
    expect((await count()) - before).toBe(2);
    const failing = { env: { ...env, argv: ["train", "9"] } };
    expect([(await runner.run(failing)).exitCode, (await runner.run(failing)).exitCode]).toEqual([9, 9]);
    expect((await count()) - before).toBe(4);
    await runner.run({ runId: "of-my-own", env });
    await runner.run({ env: { ...env, mounts: [{ hostPath: "/data", mountPath: "/in" }] } });
    await runner.run({ env: { ...env, contentDigest: "" } });
    expect((await count()) - before).toBe(7);
  });

  it("names equal work by the same key, whatever its ids, and other work by another", async () => {
    const { runner } = setup();
    const env = { ociImage: "trainer:1", argv: ["train"], env: { A: "1", B: "2" } };
    const keyOf = async (request: Parameters<typeof runner.run>[0]) => (await runner.run(request)).cacheKey;
    const key = await keyOf({ runId: "k1", env });
    expect(key).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await keyOf({ runId: "k2", jobId: "j", env: { ...env, env: { B: "2", A: "1" } } })).toBe(key);
    expect(await keyOf({ env: { ...env, env: { A: "2", B: "2" } } })).not.toBe(key);
  });

  it.each([
    ["no environment", {}, "env.oci_image"],
    ["no program", { ociImage: "trainer:1" }, "env.argv"],
    ["a digest that is none", { ociImage: "trainer:1", argv: ["a"], contentDigest: "abc" }, "env.content_digest"],
    [
      "a digest beside another one",
      { ociImage: `trainer@sha256:${"0".repeat(64)}`, argv: ["a"], contentDigest: `sha256:${"1".repeat(64)}` },
      "env.content_digest",
    ],
    [
      "a relative mount",
      { ociImage: "trainer:1", argv: ["a"], mounts: [{ hostPath: "x", mountPath: "/x" }] },
      "host_path",
    ],
  ])("refuses %s in words", async (_, env, field) => {
    const fault = await setup()
      .runner.run({ env })
      .then(() => expect.unreachable("it should have been refused"), ConnectError.from);
    expect(fault.code).toBe(Code.InvalidArgument);
    expect(fault.rawMessage).toContain(field);
  });
});

describe("EnvRunner.StreamRun", () => {
  it("sends the lines and ends well where the container does", async () => {
    const lines = [];
    for await (const line of setup().runner.streamRun({ env: { ociImage: "trainer:1", argv: ["train"] } }))
      lines.push(line);
    expect(lines).toMatchObject(logs);
  });

  it("ends with an error that names the exit code", async () => {
    const lines: unknown[] = [];
    const read = async () => {
      for await (const line of setup().runner.streamRun({ env: { ociImage: "t", argv: ["train", "4"] } }))
        lines.push(line);
    };
    const fault = await read().then(() => expect.unreachable("it should have failed"), ConnectError.from);
    expect(fault).toMatchObject({ code: Code.FailedPrecondition });
    expect(fault.rawMessage).toBe("The run ended with exit code 4.");
    expect(lines).toHaveLength(2);
  });
});

it("says that it is well while the server is ready", async () => {
  await expect(setup().runner.healthz({})).resolves.toMatchObject({});
});
