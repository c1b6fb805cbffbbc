import { describe, expect, it } from "vitest";
import { startProxy } from "./proxy.ts";
import { engine, makeNode, setup, watchContainers } from "./setup.ts";
import { createWorld } from "./world.ts";

describe.skipIf(engine.missing !== undefined)(`an agent past its lease ${engine.missing ?? ""}`, () => {
  it("that was stopped by SIGSTOP finds its late completions refused, and stops what it still runs at once", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger, tasks, gates } = await setup(world);
    const first = await makeNode(world, databaseUrl, "first");
    const containers = await watchContainers(world, engine.host, first.node);
    const sleeper = world.agent(first);
    await sleeper.says("registered");
    const ids = ["docker-late", "docker-on", "process-late", "process-on"] as const;
    for (const id of ids)
      await tasks.submitTask({ task: gates.task(id.startsWith("docker") ? "docker" : "process", id) });
    const holders = () => Promise.all(ids.map(async (id) => (await ledger.lease(id))?.holder));
    await expect.poll(holders, { timeout: 10_000 }).toEqual(ids.map(() => first.node));
    await expect.poll(containers.running, { timeout: 10_000 }).toBe(2);
    const fences = await Promise.all(ids.map(async (id) => (await ledger.lease(id))?.fence ?? 0n));

    sleeper.signal("SIGSTOP");
    // These end while nobody looks: their agent learns of it only when it wakes.
    for (const id of ["docker-late", "process-late"]) gates.open(id, 1);
    await expect.poll(containers.running, { timeout: 10_000 }).toBe(1);
    const second = await makeNode(world, databaseUrl, "second");
    const heir = world.agent(second);
    await watchContainers(world, engine.host, second.node);
    await expect.poll(holders, { timeout: 20_000 }).toEqual(ids.map(() => second.node));
    for (const [n, id] of ids.entries()) {
      const lease = await ledger.lease(id);
      expect(lease?.fence).toBeGreaterThan(fences[n] ?? 0n);
      expect(lease?.attempt).toBe(2);
    }
    expect(await containers.running()).toBe(1); // it cannot be gone while its agent is stopped

    sleeper.signal("SIGCONT");
    await expect.poll(containers.all, { timeout: 5_000 }).toBe(0);
    const refused = () => sleeper.lines.filter((line) => line.text.includes("its result was dropped")).length;
    await expect.poll(refused, { timeout: 5_000 }).toBe(ids.length);
    expect(await holders()).toEqual(ids.map(() => second.node));

    for (const id of ids) gates.open(id, 2);
    await expect
      .poll(() => Promise.all(ids.map((id) => ledger.final(id))), { timeout: 10_000 })
      .toEqual(ids.map(() => ({ state: "completed", attempt: 2, holder: second.node, error: null })));
    for (const id of ids)
      expect(await ledger.attempts(id)).toMatchObject([
        { outcome: "lost", holder: first.node, class: "lease_expired" },
      ]);
    expect(await ledger.faults()).toEqual([]);
    expect(heir.isAlive && sleeper.isAlive).toBe(true);
  }, 60_000);

  it.each(["cut", "hole"] as const)(
    "that the network keeps from Postgres (%s) has removed its container before the task is handed on",
    async (weather) => {
      await using world = createWorld();
      const { databaseUrl, ledger, tasks, gates } = await setup(world);
      await using proxy = await startProxy(Number(new URL(databaseUrl).port));
      const first = await makeNode(world, databaseUrl, "first");
      const containers = await watchContainers(world, engine.host, first.node);
      const lonely = world.agent({ ...first, databaseUrl: proxy.through(first.databaseUrl) });
      await lonely.says("registered");
      await tasks.submitTask({ task: gates.task("docker", "contested") });
      await expect.poll(containers.running, { timeout: 10_000 }).toBe(1);
      const before = await ledger.lease("contested");

      // Slow is not lost: two leases later the attempt is still its own.
      proxy.setLatency(40);
      const isRenewed = async () => {
        const [row] =
          await ledger.sql`select expires_at > ${before?.startedAt ?? new Date()}::timestamptz + interval '6 s' as late from drover.holder_lease`;
        return row?.["late"];
      };
      await expect.poll(isRenewed, { timeout: 12_000 }).toBe(true);
      expect(await ledger.lease("contested")).toEqual(before);

      proxy.turn(weather);
      const second = await makeNode(world, databaseUrl, "second");
      await watchContainers(world, engine.host, second.node);
      world.agent(second);
      await expect.poll(async () => (await ledger.lease("contested"))?.holder, { timeout: 15_000 }).toBe(second.node);
      const handedOn = (await ledger.lease("contested"))?.startedAt.getTime() ?? 0;
      const died = containers.events.find(({ action }) => action === "die");
      expect(died?.atMs).toBeLessThan(handedOn);
      await expect.poll(containers.all, { timeout: 5_000 }).toBe(0);
      gates.open("contested", 2);
      await expect
        .poll(() => ledger.final("contested"), { timeout: 10_000 })
        .toMatchObject({ state: "completed", attempt: 2, holder: second.node });

      // When the network is back, the node serves again.
      proxy.setLatency(0);
      proxy.turn("cut");
      proxy.turn("pass");
      await lonely.says("registered", { since: lonely.lines.length, timeoutMs: 10_000 });
      expect(await ledger.faults()).toEqual([]);
    },
    60_000,
  );
});
