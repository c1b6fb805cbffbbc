import { createClient } from "@connectrpc/connect";
import { createTestDatabase } from "@drover/db/testing";
import { TaskService } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { createGates } from "./gate.ts";
import { openLedger } from "./ledger.ts";
import { startPooler, whyNoPooler } from "./pooler.ts";
import { makeNode } from "./setup.ts";
import { createWorld } from "./world.ts";

const missing = whyNoPooler();

describe.skipIf(missing !== undefined)(`a pooler in transaction mode ${missing ?? ""}`, () => {
  it("carries API, agent and workers from submit to completion, each with its own login", async () => {
    await using world = createWorld();
    const database = await createTestDatabase();
    world.defer(database.drop);
    const login = await makeNode(world, database.url, "pooled");
    const through = await startPooler(world, [database.url, login.databaseUrl]);
    const api = await world.api({
      databaseUrl: through(database.url),
      env: { DROVER_DATABASE_POOLED: "true", DROVER_DATABASE_DIRECT_URL: database.url },
    });
    const agent = world.agent({
      node: login.node,
      databaseUrl: through(login.databaseUrl),
      env: { DROVER_AGENT_DATABASE_POOLED: "true", DROVER_AGENT_DOCKER: "false", DROVER_AGENT_SLOTS: "cpu_short=4" },
    });
    await agent.says("registered");
    world.worker({ name: "remote", types: ["echo"], apiUrl: api.url });
    await using ledger = openLedger(database.url);
    const gates = createGates(world.folder);
    const tasks = createClient(TaskService, api.transport());
    const processes = Array.from({ length: 12 }, (_, n) => `process-${n}`);
    for (const id of processes) gates.open(id, 1);
    // Many at once, so that statements of several clients meet on the few servers.
    await Promise.all([
      ...processes.map((id) => tasks.submitTask({ task: gates.task("process", id) })),
      ...Array.from({ length: 100 }, (_, n) => tasks.submitTask({ task: { id: `echo-${n}`, type: "echo" } })),
    ]);
    for await (const _ of tasks.watchTasks({ ids: [...processes, "echo-0", "echo-99"] }));
    await expect.poll(() => ledger.counts(), { timeout: 15_000 }).toMatchObject({ task: 112, completed: 112 });
    const { task } = await tasks.getTask({ id: "process-0" });
    expect(task?.holder).toBe(login.node);
    expect(await ledger.faults()).toEqual([]);
    const direct = await ledger.sql`
      select usename from pg_stat_activity where datname = current_database() and application_name like 'drover%'
         and application_name not in ('drover-listen')`;
    expect(direct.map((row) => row["usename"])).toEqual([]);
    for (const child of [api.process, agent])
      expect(child.lines.filter((line) => line.fields["level"] === "error")).toEqual([]);
  }, 40_000);
});
