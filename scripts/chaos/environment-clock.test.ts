import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import type { Child } from "./child.ts";
import { isReady, replicaOf, setupEnvironments, watchNode } from "./environment.ts";
import { engine, makeNode } from "./setup.ts";
import { createWorld } from "./world.ts";

const dayMs = 86_400_000;

describe.skipIf(engine.missing !== undefined)(`wall clocks that jump ${engine.missing ?? ""}`, () => {
  it("take no lease, end no task and restart no container, whether the agent's or the API's", async () => {
    await using world = createWorld();
    const file = join(world.folder, "offset");
    const env = { NODE_OPTIONS: `--import=${import.meta.resolve("./clock-jump.ts")}`, CLOCK_OFFSET_FILE: file };
    const { databaseUrl, api, ledger, tasks, gates, apply, until } = await setupEnvironments(world, { env });
    const login = await makeNode(world, databaseUrl, "jumper");
    const { docker, kept } = watchNode(world, engine.host, login.node);
    const agent = world.agent({ ...login, env });
    await agent.says("registered");
    const name = world.name("watch");
    const service = `{ image: ${testImage}, command: [sleep, "100000"], stopGrace: 0s, onDisconnect: { stopAfter: 1s }, health: { command: [sh, -c, "true"], interval: 0.5s } }`;
    await apply(`{ drover: environment/v1, name: ${name}, services: { one: ${service} } }`);
    await until(name, isReady(1));
    const task = gates.task("process", "steady");
    await tasks.submitTask({ task: { ...task, timeout: { seconds: 3600n } } });
    await expect.poll(async () => (await ledger.lease("steady"))?.attempt).toBe(1);
    const before = await kept();
    const jump = async (child: Child, offsetMs: number) => {
      writeFileSync(file, String(offsetMs));
      const since = child.lines.length;
      child.signal("SIGUSR2");
      await child.says("the clock says", { since });
    };
    const expiry = async () => {
      const [row] = await ledger.sql<{ at: Date }[]>`select max(expires_at) as at from drover.holder_lease`;
      return row?.at.getTime() ?? 0;
    };

    for (const offsetMs of [dayMs, -dayMs]) {
      await jump(agent, offsetMs);
      await jump(api.process, -offsetMs);
      // A whole lease and its margin later it is held as before.
      const from = await expiry();
      await expect.poll(expiry, { timeout: 15_000 }).toBeGreaterThan(from + 4_000);
      expect(await expiry()).toBeLessThan(Date.now() + 4_000);
    }
    await until(name, isReady(1));
    expect(await kept()).toEqual(before);
    expect(agent.lines.filter(({ text }) => text.includes("lease lost"))).toEqual([]);
    expect(await ledger.sql`select from drover.event where kind = 'node.lost'`).toEqual([]);
    gates.open("steady", 1);
    await expect.poll(() => ledger.final("steady")).toMatchObject({ state: "completed", attempt: 1 });
    // And it is still seen to.
    await docker.getContainer(before[0]?.id ?? "").kill();
    await until(name, (one) => isReady(1)(one) && replicaOf(one, "one").restarts === 1);
    expect(await ledger.faults()).toEqual([]);
  }, 90_000);
});
