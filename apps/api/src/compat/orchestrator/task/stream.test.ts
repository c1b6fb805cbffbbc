import type { TaskResult } from "@drover/proto/orchestrator/orchestrator";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrchestratorBench, type OrchestratorBench } from "../testing.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

const execution = "{'image': 'busybox', 'command': ['true']}";

describe("StreamTaskResults with ids", () => {
  it("sends a snapshot at once, follows every task to its end, and then ends well", async () => {
    const release = await startHeldWorker("held");
    await submit("named-1", "held");
    await submit("named-2", "held");
    const seen: TaskResult[] = [];
    for await (const message of bench.client.streamTaskResults({
      taskIds: ["named-1", "named-2"],
      includeCompleted: true,
    })) {
      seen.push(message);
      if (new Set(seen.map((told) => told.taskId)).size === 2) release();
    }
    for (const id of ["named-1", "named-2"]) {
      const told = seen.filter((message) => message.taskId === id);
      expect(
        told
          .slice(0, -1)
          .every((message) => ["pending", "running"].includes(message.status) && message.completedAt === 0n),
      ).toBe(true);
      expect(told.at(-1)).toMatchObject({ status: "completed", error: "", result: { class: "cpu_short" } });
      expect(told.filter((message) => message.status === "completed")).toHaveLength(1);
      expect(told.at(-1)?.completedAt).toBeGreaterThan(1_700_000_000n);
    }
  });

  it("tells of a task that does not move at least every 500 ms", async () => {
    await bench.client.submitTask({ id: "still", class: "gpu", payload: { execution } });
    const stream = streamUntil({ taskIds: ["still"], includeCompleted: true });
    const at: number[] = [];
    for await (const message of stream.messages) {
      expect(message).toMatchObject({ taskId: "still", status: "pending", durationMs: 0, completedAt: 0n });
      at.push(performance.now());
      if (at.length === 5) stream.stop();
    }
    const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(500);
    expect(Math.min(...gaps)).toBeGreaterThan(200);
  });

  it("ends at once when all are final, with each of them once", async () => {
    await submit("final-1", "nobody");
    const seen = await collect({ taskIds: ["final-1", "final-1", " final-1 "], includeCompleted: true });
    expect(seen).toMatchObject([
      { taskId: "final-1", status: "failed", error: "payload.execution section is required" },
    ]);
  });

  it("leaves out what was final at the time of the call, if the client does not ask for it", async () => {
    await submit("final-2", "nobody");
    expect(await collect({ taskIds: ["final-2"], includeCompleted: false })).toEqual([]);
  });

  it("goes on after every connection to the database was cut", async () => {
    const release = await startHeldWorker("cut");
    await submit("cut-1", "cut");
    const seen: string[] = [];
    for await (const { status } of bench.client.streamTaskResults({ taskIds: ["cut-1"], includeCompleted: true })) {
      seen.push(status);
      if (seen.length > 1) continue;
      await bench.cutConnections();
      release();
    }
    expect(seen.at(-1)).toBe("completed");
  });

  it("waits for ids that are submitted later", async () => {
    await bench.client.submitTask({ id: "there", class: "gpu", payload: { execution } });
    const stream = streamUntil({ taskIds: ["there", "later-1", "t0s87r5pwsp000"], includeCompleted: false });
    const seen: string[] = [];
    for await (const { taskId, status } of stream.messages) {
      // What it is told first is what there was at the time of the call.
      if (seen.length === 0) await submit("later-1", "nobody");
      seen.push(`${taskId} ${status}`);
      if (taskId === "later-1") stream.stop();
    }
    expect(seen[0]).toBe("there pending");
    expect(seen.at(-1)).toBe("later-1 failed");
  });
});

describe("StreamTaskResults without ids", () => {
  it("tells of everything that is open, then of every change, and never ends by itself", async () => {
    const release = await startHeldWorker("all");
    await submit("all-1", "all");
    const stream = streamUntil({ taskIds: [], includeCompleted: false });
    const seen: TaskResult[] = [];
    for await (const message of stream.messages) {
      seen.push(message);
      if (seen.length === 1) await submit("all-2", "all");
      if (["all-1", "all-2"].every((id) => seen.some((told) => told.taskId === id))) release();
      if (["all-1", "all-2"].every((id) => seen.some((told) => told.taskId === id && told.status === "completed")))
        stream.stop();
    }
    expect(stream.wasStopped()).toBe(true);
    expect(seen.some((message) => message.taskId.startsWith("final-"))).toBe(false);
    expect(seen.filter((message) => message.taskId === "all-2").map((message) => message.status)).toContain(
      "completed",
    );
  });

  it("begins with what is final already, if the client asks for it", async () => {
    await submit("past-1", "nobody");
    const stream = streamUntil({ taskIds: [], includeCompleted: true });
    for await (const message of stream.messages) {
      if (message.taskId === "past-1") {
        expect(message.status).toBe("failed");
        stream.stop();
      }
    }
    expect(stream.wasStopped()).toBe(true);
  });
});

async function submit(id: string, type: string): Promise<void> {
  expect(await bench.client.submitTask({ id, payload: { task_type: type } })).toMatchObject({
    success: true,
    taskId: id,
  });
}

/** A worker whose tasks end when the returned function is called. */
async function startHeldWorker(type: string): Promise<() => void> {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await bench.startWorker({ [type]: () => released });
  return () => release();
}

interface StreamRequest {
  taskIds: string[];
  includeCompleted: boolean;
}

async function collect(request: StreamRequest): Promise<TaskResult[]> {
  const messages: TaskResult[] = [];
  for await (const message of bench.client.streamTaskResults(request)) messages.push(message);
  return messages;
}

/** A stream that its client leaves; leaving is no fault. */
function streamUntil(request: StreamRequest) {
  const left = new AbortController();
  async function* messages() {
    try {
      yield* bench.client.streamTaskResults(request, { signal: left.signal });
    } catch (error) {
      if (!left.signal.aborted) throw error;
    }
  }
  return { messages: messages(), stop: () => left.abort(), wasStopped: () => left.signal.aborted };
}
