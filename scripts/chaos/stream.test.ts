import { createClient } from "@connectrpc/connect";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { TaskState } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { setup } from "./setup.ts";
import { createWorld } from "./world.ts";

describe("streams whose database connections are terminated", () => {
  it("go on, tell every later change, and end when all named tasks are final", async () => {
    await using world = createWorld();
    const { api, ledger, tasks, databaseUrl } = await setup(world);
    const ids = ["streamed-1", "streamed-2", "streamed-3"];
    const { verdicts } = await tasks.submitTasks({ tasks: ids.map((id) => ({ id, type: "echo" })) });
    expect(verdicts.every((verdict) => verdict.created)).toBe(true);

    const watched = new Map<string, TaskState[]>();
    const watching = (async () => {
      for await (const { task } of tasks.watchTasks({ ids })) {
        if (task !== undefined) watched.set(task.id, [...(watched.get(task.id) ?? []), task.state]);
      }
    })();
    const streamed: [string, string][] = [];
    const streaming = (async () => {
      const orchestrator = createClient(OrchestratorService, api.transport());
      for await (const { taskId, status } of orchestrator.streamTaskResults({ taskIds: ids, includeCompleted: true })) {
        streamed.push([taskId, status]);
      }
    })();
    const all: string[] = [];
    const everything = new AbortController();
    const following = (async () => {
      const orchestrator = createClient(OrchestratorService, api.transport());
      for await (const { taskId, status } of orchestrator.streamTaskResults(
        { taskIds: [] },
        { signal: everything.signal },
      )) {
        all.push(`${taskId} ${status}`);
      }
    })().catch((error: unknown) => error);
    await expect.poll(() => watched.size).toBe(ids.length);
    await expect.poll(() => new Set(streamed.map(([id]) => id)).size).toBe(ids.length);

    const terminate = async () => {
      const [row] = await ledger.sql<{ count: number }[]>`
        select count(pg_terminate_backend(pid))::integer as count
          from pg_stat_activity where datname = current_database() and application_name in ('drover-api', 'drover-listen')`;
      return row?.count ?? 0;
    };
    expect(await terminate()).toBeGreaterThan(0);
    world.worker({ name: "late", types: ["echo"], databaseUrl });
    const heard = streamed.length;
    // The repeats go on through it: a client takes a second of silence for the end.
    await expect.poll(() => streamed.length).toBeGreaterThan(heard);
    await terminate();
    await Promise.all([watching, streaming]);

    for (const id of ids) {
      expect(watched.get(id)?.at(0)).toBe(TaskState.PENDING);
      expect(watched.get(id)?.at(-1)).toBe(TaskState.COMPLETED);
      expect(streamed.findLast(([task]) => task === id)).toEqual([id, "completed"]);
      expect(streamed.filter((entry) => entry.join() === `${id},completed`)).toHaveLength(1);
    }
    await expect.poll(() => ids.every((id) => all.includes(`${id} completed`))).toBe(true);
    everything.abort();
    await following;
    expect(api.process.isAlive).toBe(true);
  }, 40_000);
});
