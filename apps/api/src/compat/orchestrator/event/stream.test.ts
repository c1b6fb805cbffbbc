import { Code } from "@connectrpc/connect";
import { submitFailed } from "@drover/db/query/submit";
import type { Executor } from "@drover/db/client";
import type { SystemEvent } from "@drover/proto/orchestrator/orchestrator";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { cancelTask } from "../../../operation/cancel-task.ts";
import { createOrchestratorBench, type OrchestratorBench } from "../testing.ts";
import { streamEvents } from "./stream.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

describe("StreamEvents", () => {
  it("tells a task's life in order, under the names and keys that clients read", async () => {
    const worker = await bench.startWorker({ quick: () => ({ answer: 42 }) });
    const since = nowSeconds();
    await bench.client.submitTask({
      id: "life-1",
      class: "cpu_long",
      payload: { task_type: "quick", tenant: "gepa", workflow_id: "w1" },
    });
    const events = await follow({ since, until: (event) => event.eventType === "task_completed" });
    await worker.stop();
    expect(events.map((event) => [event.eventType, event.resourceId])).toEqual([
      ["task_submitted", "life-1"],
      ["task_started", "life-1"],
      ["task_completed", "life-1"],
    ]);
    const [submitted, started, completed] = events.map((event) => event.data);
    expect(submitted).toEqual({
      task_id: "life-1",
      class: "cpu_long",
      payload: '{"task_type":"quick","tenant":"gepa","workflow_id":"w1"}',
    });
    expect(started).toMatchObject({
      task_id: "life-1",
      class: "cpu_long",
      tenant: "gepa",
      workflow_id: "w1",
      source: "runner",
    });
    expect(Number.isNaN(Date.parse(started?.["started_at"] ?? ""))).toBe(false);
    expect(JSON.parse(completed?.["result"] ?? "")).toMatchObject({ class: "cpu_long", answer: "42" });
    for (const event of events) expect(Math.abs(Number(event.timestamp) - Date.now() / 1000)).toBeLessThan(30);
  });

  it("begins with what happens after the call when no time is given", async () => {
    await refused("before-1");
    let count = 0;
    const more = setInterval(() => void refused(`after-${++count}`), 50);
    const events = await follow({ until: () => true });
    clearInterval(more);
    expect(events.map((event) => event.resourceId).join()).toMatch(/^after-/);
  });

  it("tells only the types asked for, and ends without success with their text", async () => {
    const since = nowSeconds();
    await refused("fails-1");
    await submitPending("cancelled-1");
    await cancelTask(bench.deps, { namespace: "default", actor: "test" }, "cancelled-1", "changed my mind");
    const eventTypes = ["task_failed", "workflow_started"];
    const events = await follow({ eventTypes, since, until: (event) => event.resourceId === "cancelled-1" });
    expect(events.filter((event) => ["fails-1", "cancelled-1"].includes(event.resourceId))).toMatchObject([
      {
        eventType: "task_failed",
        data: { task_id: "fails-1", error: "payload.execution section is required" },
      },
      { eventType: "task_failed", data: { task_id: "cancelled-1", error: "The task was cancelled: changed my mind" } },
    ]);
  });

  it("stays silent and open for types that never happen here", async () => {
    const left = new AbortController();
    const seen: SystemEvent[] = [];
    const request = { eventTypes: ["slurm_job_submitted"], sinceTimestamp: nowSeconds() - 60n };
    const following = (async () => {
      for await (const event of bench.client.streamEvents(request, { signal: left.signal })) seen.push(event);
    })();
    // Another stream sees events meanwhile, so this one had its chance to.
    await refused("heard-elsewhere");
    await follow({ since: nowSeconds() - 60n, until: (event) => event.resourceId === "heard-elsewhere" });
    left.abort();
    await expect(following).rejects.toMatchObject({ code: Code.Canceled });
    expect(seen).toEqual([]);
  });

  it("tells the past when asked to, with one message for each task of a batch", async () => {
    const caller = { namespace: "default", actor: "test" };
    const drafts = Array.from({ length: 450 }, (_, n) => ({
      id: `batch-${n}`,
      class: "cpu_short",
      type: "batch",
      payload: { n },
      priority: 0,
    }));
    await bench.submitTask.many(caller, drafts);
    const wanted = new Set(drafts.map((draft) => draft.id));
    const events = await follow({
      eventTypes: ["task_submitted"],
      since: nowSeconds() - 60n,
      until: (event) => wanted.delete(event.resourceId) && wanted.size === 0,
    });
    const batch = events.filter((event) => event.resourceId.startsWith("batch-"));
    expect(batch.map((event) => event.resourceId)).toEqual(drafts.map((draft) => draft.id));
    expect(JSON.parse(batch[7]?.data["payload"] ?? "")).toEqual({ n: 7 });
  });

  it("holds back what comes after a transaction that is still open, and so misses nothing", async () => {
    const left = new AbortController();
    const { db, looks } = countLooks(bench.db);
    const namespaceId = await bench.deps.directory.namespaceId("default");
    const options = { namespaceId, eventTypes: ["task_failed"], sinceTimestamp: 0n, signal: left.signal, pollMs: 5 };
    const seen: string[] = [];
    const following = (async () => {
      for await (const event of streamEvents({ deps: { ...bench.deps, db }, ...options })) {
        if (event.resourceId?.startsWith("late-")) seen.push(event.resourceId);
      }
    })();
    await vi.waitFor(() => expect(looks()).toBeGreaterThan(1));

    await bench.db.transaction(async (tx) => {
      const queueId = await bench.deps.directory.queueId({
        namespaceId,
        className: "cpu_short",
        executor: "worker",
        taskType: "nobody",
      });
      const error = '{"class":"invalid_execution","message":"no"}';
      await submitFailed(
        tx,
        { namespaceId, actor: "test" },
        { queueId, payload: "{}", name: "late-first", requestHash: new Uint8Array(16), error },
      );
      await refused("late-second");
      const before = looks();
      await vi.waitFor(() => expect(looks()).toBeGreaterThan(before + 3));
      expect(seen).toEqual([]);
    });
    await vi.waitFor(() => expect(seen).toEqual(["late-first", "late-second"]));
    left.abort();
    await expect(following).rejects.toMatchObject({ name: "AbortError" });
  });

  it("goes on after every connection to the database was cut", async () => {
    const sinceTimestamp = nowSeconds();
    await refused("before-cut");
    const seen: string[] = [];
    for await (const event of bench.client.streamEvents({ eventTypes: ["task_failed"], sinceTimestamp })) {
      if (!event.resourceId.endsWith("-cut")) continue;
      seen.push(event.resourceId);
      if (event.resourceId === "after-cut") break;
      await bench.cutConnections();
      // Those that submit are told to try again.
      await vi.waitFor(() => refused("after-cut"), { timeout: 10_000 });
    }
    expect(seen).toEqual(["before-cut", "after-cut"]);
  });
});

interface Wanted {
  eventTypes?: string[];
  since?: bigint;
  until: (event: SystemEvent) => boolean;
}

/** The events of a stream up to the last one wanted; then its client leaves. */
async function follow({ eventTypes = [], since = 0n, until }: Wanted): Promise<SystemEvent[]> {
  const events: SystemEvent[] = [];
  for await (const event of bench.client.streamEvents({ eventTypes, sinceTimestamp: since })) {
    events.push(event);
    if (until(event)) break;
  }
  return events;
}

function nowSeconds(): bigint {
  return BigInt(Math.floor(Date.now() / 1000));
}

/** Submits a task that nothing can run. */
async function refused(id: string): Promise<void> {
  expect(await bench.client.submitTask({ id, payload: { task_type: "nobody" } })).toMatchObject({ success: true });
}

async function submitPending(id: string): Promise<void> {
  const execution = "{'image': 'busybox', 'command': ['true']}";
  expect(await bench.client.submitTask({ id, payload: { execution } })).toMatchObject({ success: true });
}

/** The same database, and how many statements it was asked. */
function countLooks(db: typeof bench.db) {
  let count = 0;
  const run: Executor["run"] = (statement) => {
    count += 1;
    return db.run(statement);
  };
  return { db: { ...db, run }, looks: () => count };
}
