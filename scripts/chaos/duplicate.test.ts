import { createClient } from "@connectrpc/connect";
import { fromJson, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { TaskState } from "@drover/proto/drover/task";
import { WorkerService } from "@drover/proto/drover/worker";
import { describe, expect, it } from "vitest";
import { setup } from "./setup.ts";
import { createWorld } from "./world.ts";

describe("completions that are delivered more than once", () => {
  it("count exactly once, in whatever order they and those of an earlier attempt come", async () => {
    await using world = createWorld();
    const { api, ledger, tasks } = await setup(world);
    const workers = createClient(WorkerService, api.transport());
    const { session } = await workers.registerWorker({ name: "stutterer", types: ["echo"] });
    const complete = (...claims: { key: bigint; fence: bigint; says: string }[]) =>
      workers
        .completeTasks({
          session,
          completions: claims.map(({ says, ...claim }) => ({ ...claim, result: fromJson(ValueSchema, says) })),
        })
        .then(({ stale }) => stale.map(({ key, fence }) => ({ key, fence })));
    /** Claims a task, fails that attempt, and claims it again. */
    const twice = async (id: string) => {
      await tasks.submitTask({ task: { id, type: "echo" } });
      const [first] = (await workers.claimTasks({ session, maxTasks: 1 })).tasks;
      if (first === undefined) throw new Error("Expected a claim, got none.");
      const { key, fence } = first;
      await workers.failTasks({
        session,
        failures: [{ key, fence, class: "error", message: "again", retryAfter: { seconds: 0n } }],
      });
      const [second] = (await workers.claimTasks({ session, maxTasks: 1, wait: { seconds: 5n } })).tasks;
      if (second === undefined) throw new Error("Expected the retry to be claimed, got none.");
      expect(second.fence).toBeGreaterThan(fence);
      return { old: { key, fence, says: "old" }, now: { key, fence: second.fence, says: "now" } };
    };
    const resultOf = async (id: string) => {
      const { task } = await tasks.getTask({ id });
      return [task?.state, task?.result && toJson(ValueSchema, task.result)];
    };
    const stale = ({ key, fence }: { key: bigint; fence: bigint }) => ({ key, fence });

    const a = await twice("old-first");
    expect(await complete(a.old)).toEqual([stale(a.old)]);
    expect(await complete(a.now)).toEqual([]);
    expect(await complete(a.now)).toEqual([stale(a.now)]);
    expect(await complete(a.old)).toEqual([stale(a.old)]);

    const b = await twice("new-first");
    expect(await complete(b.now)).toEqual([]);
    expect(await complete(b.old)).toEqual([stale(b.old)]);
    expect(await complete({ ...b.now, says: "changed" })).toEqual([stale(b.now)]);

    const c = await twice("at-once");
    const answers = await Promise.all([complete(c.now), complete(c.old), complete(c.now), complete(c.old)]);
    expect([answers[0], answers[2]].toSorted((x, y) => x.length - y.length)).toEqual([[], [stale(c.now)]]);
    expect([answers[1], answers[3]]).toEqual([[stale(c.old)], [stale(c.old)]]);

    const d = await twice("one-batch");
    expect(await complete(d.old, d.now)).toEqual([stale(d.old)]);
    const e = await twice("one-batch-reversed");
    expect(await complete(e.now, e.old, e.now)).toEqual([stale(e.old), stale(e.now)]);

    for (const id of ["old-first", "new-first", "at-once", "one-batch", "one-batch-reversed"]) {
      expect(await resultOf(id)).toEqual([TaskState.COMPLETED, "now"]);
    }
    // A failure after the fact changes nothing either.
    const { stale: late } = await workers.failTasks({
      session,
      failures: [
        { ...stale(a.now), class: "error" },
        { ...stale(a.old), class: "error" },
      ],
    });
    expect(late.map(stale)).toEqual([stale(a.now), stale(a.old)]);
    expect(await ledger.counts()).toMatchObject({ task: 5, final: 5, completed: 5, lease: 0, ready: 0, waiting: 0 });
    expect(await ledger.faults()).toEqual([]);
  }, 40_000);
});
