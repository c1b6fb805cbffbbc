import { describe, expect, it } from "vitest";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import { isReady, setupEnvironments, watchNode } from "./environment.ts";
import { engine, makeNode } from "./setup.ts";
import { createWorld } from "./world.ts";

describe.skipIf(engine.missing !== undefined)(`an agent with 50 containers of services ${engine.missing ?? ""}`, () => {
  it("takes up every one of them within 10 s after a kill and after an upgrade, and restarts none", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger, apply, until } = await setupEnvironments(world);
    const login = await makeNode(world, databaseUrl, "many");
    const { docker, kept } = watchNode(world, engine.host, login.node);
    const name = world.name("swarm");
    const first = world.agent(login);
    await apply(`
drover: environment/v1
name: ${name}
services:
  sleeper:
    image: ${testImage}
    command: [sh, -c, "trap 'exit 0' TERM; sleep 100000 & wait $!"]
    replicas: 50
`);
    await until(name, isReady(1), { timeoutMs: 90_000 });
    let before = await kept();
    expect(before).toHaveLength(50);
    const lives = (all: typeof before) => new Set(all.map(({ id, state, startedAt }) => `${id} ${state} ${startedAt}`));

    let agent = first;
    for (const end of ["SIGKILL", "SIGTERM"] as const) {
      expect(await agent.end(end)).toMatchObject(end === "SIGKILL" ? { signal: "SIGKILL" } : { code: 0 });
      expect(lives(await kept())).toEqual(lives(before));
      const [mark] = await ledger.sql<{ xid: string }[]>`select pg_current_xact_id()::text as xid`;
      const told = async () => {
        const rows = await ledger.sql`
          select from drover.replica_status where xmin::text::bigint > ${mark?.xid ?? ""}::bigint and state = 'running'`;
        return rows.length;
      };
      const at = performance.now();
      agent = world.agent(login);
      await expect.poll(told, { timeout: 15_000 }).toBe(50);
      expect(performance.now() - at).toBeLessThan(10_000);
      expect(agent.lines.filter(({ fields }) => fields["action"] !== undefined)).toEqual([]);

      // It keeps them from now on: one that is killed comes back, and the others are left alone.
      const [victim] = before;
      await docker.getContainer(victim?.id ?? "").kill();
      const again = async () => (await docker.getContainer(victim?.id ?? "").inspect()).State;
      await expect
        .poll(async () => ((await again()).StartedAt === victim?.startedAt ? "ended" : (await again()).Status))
        .toBe("running");
      const after = await kept();
      const others = ({ id }: { id: string }) => id !== victim?.id;
      expect(lives(after.filter(others))).toEqual(lives(before.filter(others)));
      before = after;
    }
  }, 150_000);
});
