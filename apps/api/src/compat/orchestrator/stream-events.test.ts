import type { SystemEvent } from "@drover/proto/orchestrator/orchestrator";
import { runOn } from "@drover/db/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrchestratorBench, type OrchestratorBench } from "./testing.ts";

let bench: OrchestratorBench;

beforeAll(async () => {
  bench = await createOrchestratorBench();
});
afterAll(() => bench.close());

describe("StreamEvents", () => {
  it("tells a task's life in order, under the names and keys that clients read", async () => {
    const worker = await bench.startWorker({ quick: () => ({ answer: 42 }) });
    const events = await collectEvents({ until: (event) => event.eventType === "task_completed" }, () =>
      bench.client.submitTask({ id: "life-1", class: "cpu_long", payload: { task_type: "quick", tenant: "gepa", workflow_id: "w1" } }),
    );
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
    expect(started).toMatchObject({ task_id: "life-1", class: "cpu_long", tenant: "gepa", workflow_id: "w1", source: "runner" });
    expect(Number.isNaN(Date.parse(started?.["started_at"] ?? ""))).toBe(false);
    expect(JSON.parse(completed?.["result"] ?? "")).toMatchObject({ class: "cpu_long", answer: "42" });
    for (const event of events) expect(Math.abs(Number(event.timestamp) - Date.now() / 1000)).toBeLessThan(30);
  });

  it("tells only the types asked for, and failures with their text", async () => {
    const events = await collectEvents({ eventTypes: ["task_failed", "workflow_started"], until: () => true }, () =>
      bench.client.submitTask({ id: "fails-1", payload: {} }),
    );
    expect(events).toMatchObject([
      { eventType: "task_failed", resourceId: "fails-1", data: { task_id: "fails-1", error: "payload.execution section is required" } },
    ]);
  });

  it("stays silent and open for types that never happen here", async () => {
    const silent = new AbortController();
    const messages: SystemEvent[] = [];
    const following = (async () => {
      for await (const event of bench.client.streamEvents({ eventTypes: ["slurm_job_submitted"] }, { signal: silent.signal })) messages.push(event);
    })();
    // Another stream sees the event, so this one had its chance to.
    await collectEvents({ eventTypes: ["task_failed"], until: () => true }, () => bench.client.submitTask({ payload: {} }));
    silent.abort();
    await expect(following).rejects.toThrow();
    expect(messages).toEqual([]);
  });

  it("begins in the past when asked to, with one message for each task of a batch", async () => {
    const caller = { namespace: "default", actor: "test" };
    const drafts = Array.from({ length: 450 }, (_, n) => ({ id: `batch-${n}`, class: "cpu_short", type: "batch", payload: { n }, priority: 0 }));
    const answers = await bench.submitTask.many(caller, drafts);
    expect(answers.every((answer) => "created" in answer && answer.created)).toBe(true);
    const since = BigInt(Math.floor(Date.now() / 1000) - 60);
    const wanted = new Set(drafts.map((draft) => draft.id));
    const events = await collectEvents({ eventTypes: ["task_submitted"], since, until: (event) => wanted.delete(event.resourceId) && wanted.size === 0 });
    const batch = events.filter((event) => event.resourceId.startsWith("batch-"));
    expect(batch.map((event) => event.resourceId)).toEqual(drafts.map((draft) => draft.id));
    expect(JSON.parse(batch[7]?.data["payload"] ?? "")).toEqual({ n: 7 });
  });

  it("misses nothing that commits late, behind events that were told already", async () => {
    const held = await holdTransaction();
    let opened = false;
    const events = await collectEvents(
      { eventTypes: ["task_failed"], until: (event) => event.resourceId === "committed-first" },
      async () => {
        await bench.client.submitTask({ id: "committed-first", payload: {} });
        expect(opened).toBe(false);
        opened = true;
        await held.commit();
      },
    );
    // The transaction that began first holds back what came after it until it is over.
    expect(events.map((event) => event.resourceId)).toEqual(["committed-first"]);
    expect(opened).toBe(true);
  });
});

interface Wanted {
  eventTypes?: string[];
  since?: bigint;
  until: (event: SystemEvent) => boolean;
}

/** Follows until an event is the last one wanted; `cause` runs once the stream is open. */
async function collectEvents({ eventTypes = [], since = 0n, until }: Wanted, cause?: () => Promise<unknown>): Promise<SystemEvent[]> {
  const left = new AbortController();
  const events: SystemEvent[] = [];
  let isOpen = () => {};
  const opened = new Promise<void>((resolve) => (isOpen = resolve));
  const following = (async () => {
    const call = bench.client.streamEvents({ eventTypes, sinceTimestamp: since }, { signal: left.signal, onHeader: isOpen });
    for await (const event of call) {
      events.push(event);
      if (until(event)) left.abort();
    }
  })().catch((error: unknown) => {
    if (!left.signal.aborted) throw error;
  });
  await Promise.race([opened, following]);
  await cause?.();
  await following;
  return events;
}

async function holdTransaction() {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  let begin = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const { sql } = await import("drizzle-orm");
  const done = bench.db.transaction(async (tx) => {
    await tx.run(sql`select pg_current_xact_id()`);
    begin();
    await released;
  });
  await begun;
  return { commit: () => (release(), done) };
}
void runOn;
