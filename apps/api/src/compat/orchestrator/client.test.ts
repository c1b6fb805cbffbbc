import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runPythonClient, whyNoPythonClient } from "../../testing-python.ts";
import { createOrchestratorBench, type OrchestratorBench } from "./testing.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

it(
  "serves Python clients as they are: str() values, reads of a second, polling at once",
  { timeout: 60_000 },
  async ({ skip }) => {
    const lack = await whyNoPythonClient();
    if (lack !== undefined) skip(lack);
    await bench.startAdvance();
    // Longer than the client waits for one message.
    await bench.startWorker({
      // Long enough to be seen running.
      signature: (payload, { signal }) => pause(300, { said: (payload as { prompt: string }).prompt }, { signal }),
      episode: (payload, { signal }) =>
        new Promise((resolve) => {
          const timer = setTimeout(() => resolve({ data: payload }), 1300);
          signal.addEventListener("abort", () => clearTimeout(timer));
        }),
    });
    const answer = (await runPythonClient({
      script: join(import.meta.dirname, "client.py"),
      contract: "orchestrator/v1/orchestrator.proto",
      address: await bench.serve(),
    })) as { events: string[] };
    const config = { layers: [1, 2.5, null], shuffle: true, name: "it's" };
    const done = ["completed", true, true];
    expect(answer).toMatchObject({
      health: [true, "0.1.0", { orchestrator: "healthy", grpc_server: "healthy" }],
      submitted: [0, 1, 2].map((n) => ({ success: true, task_id: `episode-${n}`, error: "" })),
      early: true,
      results: { "episode-0": done, "episode-1": done, "episode-2": done },
      data: { task_type: "episode", tenant: "gepa", config, extras_json: config, n: 1 },
      nothing: [true, { status: "failed", error: "payload.execution section is required" }],
      unknown: ["NOT_FOUND", "task not found"],
      workflow: {
        refused: [
          false,
          "workflow name is required; workflow requires at least one node; workflow requires at least one edge to express flow",
        ],
        created: [true, "pair", ""],
        again: true,
        first: "pending",
        steps: ["draft", "polish"],
        last: ["completed", 2, 2, { polish: '{"said":"polish it"}' }, ""],
        task: { status: "completed", result: { said: "draft it", workflow_id: "pair" } },
        unknown: ["NOT_FOUND", "run not found"],
      },
      metrics: ["env_queue_depth", "tasks_pending"],
    });
    expect(answer.events[0]).toBe("task_submitted episode-0");
    expect(answer.events).toContain("task_submitted nothing");
  },
);
