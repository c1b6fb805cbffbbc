import { register } from "@drover/db/node/register";
import { complete, fail } from "@drover/db/node/settle";
import { sync } from "@drover/db/node/sync";
import type { RunResult } from "@drover/domain/run-result";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrchestratorBench, type OrchestratorBench } from "../testing.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

const execution = `{'image': 'busybox', 'command': ['sh', '-c', 'optimize']}`;

const run: RunResult = {
  exitCode: 0,
  durationMs: 2345,
  outputs: [{ path: "out.json", type: "json", sizeBytes: 13, checksum: "sha256:ab" }],
  outputsSummary: { "out.json": { score: 0.5 } },
  stdoutTail: '__DSPY_RESULT__:{"score": 0.5}\n',
  stderrTail: "",
  runnerOutput: { score: 0.5 },
  workingDir: "/workspace",
};

describe("a task that ran in a container", () => {
  it("leaves its outputs and logs as JSON text under metadata, where clients look for them", async () => {
    const settle = await claimOne("gepa-1", {
      execution,
      tenant: "gepa",
      workflow_id: "wf-1",
      workflow_context: "{'step': 2}",
    });
    await settle((life, claimed) => complete(bench.db, life, [{ ...claimed, result: JSON.stringify(run) }]));
    const { status, error, result } = await bench.client.getTaskStatus({ taskId: "gepa-1" });
    expect([status, error]).toEqual(["completed", ""]);
    const { metadata, ...rest } = result;
    expect(rest).toEqual({
      latency_ms: "2345",
      class: "cpu_long",
      workflow_id: "wf-1",
      workflow_context: '{"step":2}',
    });
    expect(JSON.parse(metadata ?? "")).toMatchObject({
      status: "completed",
      exit_code: 0,
      duration_ms: 2345,
      tenant: "gepa",
      workflow_id: "wf-1",
      outputs_summary: { "out.json": { score: 0.5 } },
      result: {
        outputs: [{ path: "out.json", type: "json", name: null, size_bytes: 13, checksum: "sha256:ab" }],
        metrics: { wall_clock_ms: 2345, task_class: "cpu_long" },
        outputs_summary: { "out.json": { score: 0.5 } },
      },
      logs: { stdout_tail: '__DSPY_RESULT__:{"score": 0.5}\n', stderr_tail: "" },
      runner_output: { score: 0.5 },
    });
  });

  it("is failed with a text after its time was up, and its logs are kept", async () => {
    const settle = await claimOne("gepa-2", { execution });
    const failed = { class: "timeout", message: "The attempt ran past its limit of 60 s and was stopped." };
    await settle((life, claimed) =>
      fail(bench.db, life, [
        { ...claimed, ...failed, result: JSON.stringify({ ...run, exitCode: null, stderrTail: "slow" }) },
      ]),
    );
    const { status, error, result } = await bench.client.getTaskStatus({ taskId: "gepa-2" });
    expect([status, error]).toEqual(["failed", failed.message]);
    expect(JSON.parse(result["metadata"] ?? "")).toMatchObject({
      status: "failed",
      exit_code: null,
      logs: { stderr_tail: "slow" },
    });
    const messages = [];
    for await (const message of bench.client.streamTaskResults({ taskIds: ["gepa-2"], includeCompleted: true }))
      messages.push(message);
    expect(messages).toMatchObject([{ status: "failed", error: failed.message, result }]);
  });
});

type Life = Awaited<ReturnType<typeof register>>;
type Claimed = { taskKey: string; fence: string };

/** Submits a task and claims it as a node does; answers what settles it. */
async function claimOne(id: string, payload: Record<string, string>) {
  expect(await bench.client.submitTask({ id, class: "cpu_long", payload })).toMatchObject({ success: true });
  const life = await register(bench.db, {
    kind: "node",
    name: "host-1",
    namespace: "default",
    executors: ["docker"],
    taskTypes: [],
    classes: null,
    slots: { cpu_long: 1 },
    facts: {},
    version: "1",
  });
  const answer = await sync(bench.db, life, { cpu_long: 1 }, false);
  const [held] = answer.status === "ok" ? answer.claims : [];
  if (held === undefined) throw new Error(`Expected to claim ${id}, got nothing.`);
  expect(held).toMatchObject({ name: id, executor: "docker", execution: { image: "busybox" } });
  expect((await bench.client.getTaskStatus({ taskId: id })).status).toBe("running");
  return async (settle: (life: Life, claimed: Claimed) => Promise<string[]>) =>
    expect(await settle(life, { taskKey: held.task_id, fence: held.fence })).toEqual([]);
}
