import { describe, expect, it } from "vitest";
import { engine, makeNode, setup, watchContainers } from "./setup.ts";
import { createWorld, freePort } from "./world.ts";

describe.skipIf(engine.missing !== undefined)(`an agent's life ${engine.missing ?? ""}`, () => {
  it("ends on SIGTERM by waiting for what ends in time, and hands back the rest without counting an attempt", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger, tasks, gates } = await setup(world);
    const first = await makeNode(world, databaseUrl, "first");
    const containers = await watchContainers(world, engine.host, first.node);
    const leaving = world.agent({ ...first, env: { DROVER_AGENT_STOP_SECONDS: "7s" } });
    const ids = ["docker-ends", "docker-stays", "process-ends", "process-stays"];
    for (const id of ids)
      await tasks.submitTask({ task: gates.task(id.startsWith("docker") ? "docker" : "process", id) });
    await expect.poll(containers.running, { timeout: 15_000 }).toBe(2);
    await expect.poll(async () => (await ledger.counts()).lease).toBe(4);

    leaving.signal("SIGTERM");
    const isDraining = async () => (await ledger.sql`select from drover.holder where state = 'draining'`).length;
    await expect.poll(isDraining, { timeout: 5_000 }).toBe(1);
    await tasks.submitTask({ task: gates.task("process", "too-late") });
    for (const id of ["docker-ends", "process-ends"]) gates.open(id, 1);
    expect(await leaving.ended).toEqual({ code: 0, signal: null });
    expect(await containers.all()).toBe(0);
    for (const id of ["docker-ends", "process-ends"])
      expect(await ledger.final(id)).toMatchObject({ state: "completed", attempt: 1 });
    for (const id of ["docker-stays", "process-stays"]) {
      expect(await ledger.attempts(id)).toMatchObject([{ outcome: "released", holder: first.node }]);
    }
    expect(await ledger.counts()).toMatchObject({ task: 5, ready: 3, lease: 0, final: 2 });

    const second = await makeNode(world, databaseUrl, "second");
    await watchContainers(world, engine.host, second.node);
    world.agent(second);
    for (const id of ["docker-stays", "process-stays", "too-late"]) gates.open(id, 1);
    const ends = () => Promise.all(["docker-stays", "process-stays", "too-late"].map((id) => ledger.final(id)));
    const end = { state: "completed", attempt: 1, holder: second.node, error: null };
    await expect.poll(ends, { timeout: 15_000 }).toEqual([end, end, end]);
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);

  it("is not over when it is started once more by mistake: the second one finds its address taken, and ends", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger } = await setup(world);
    const login = await makeNode(world, databaseUrl, "twice");
    const env = { DROVER_AGENT_LISTEN: `127.0.0.1:${await freePort()}` };
    const first = world.agent({ ...login, env });
    await first.says("registered");
    const second = world.agent({ ...login, env });
    expect(await second.ended).toMatchObject({ code: 1 });
    expect(second.lines.map(({ text }) => text).join("\n")).toContain("EADDRINUSE");
    const epoch = async () =>
      (await ledger.sql`select epoch from drover.holder where name = ${login.node}`)[0]?.["epoch"];
    expect(await epoch()).toBe("1");
    expect(first.isAlive).toBe(true);
  }, 60_000);

  it("goes on after SIGKILL with the same container, and no line of its log is lost or told twice", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger, tasks, gates } = await setup(world);
    const login = await makeNode(world, databaseUrl, "phoenix");
    const containers = await watchContainers(world, engine.host, login.node);
    const killed = world.agent(login);
    const task = gates.task("docker", "counting");
    // Counts without end until the gate opens, so that lines fall before, into and after the agent's death.
    const script = "n=0; until [ -e /gate/counting.1 ]; do n=$((n+1)); echo line $n; sleep 0.01; done; echo total $n";
    await tasks.submitTask({ task: { ...task, execution: { ...task.execution, command: ["sh", "-c", script] } } });
    const lines = async () => {
      const texts: string[] = [];
      for await (const batch of tasks.getTaskLogs({ id: "counting" }))
        texts.push(...batch.lines.map(({ text }) => text));
      return texts;
    };
    await expect.poll(async () => (await lines()).length, { timeout: 15_000 }).toBeGreaterThan(50);
    await killed.end("SIGKILL");
    const shipped = (await lines()).length;
    // The container goes on alone for longer than the agent's last flush.
    const isAlone = async () =>
      Number(
        (
          await ledger.sql`select extract(epoch from now() - max(expires_at)) > -2 as late from drover.holder_lease`
        )[0]?.["late"],
      );
    await expect.poll(isAlone, { timeout: 5_000 }).toBe(1);
    expect(await containers.running()).toBe(1);

    const reborn = world.agent(login);
    await reborn.says("took up an attempt that still ran");
    await expect.poll(async () => (await lines()).length, { timeout: 10_000 }).toBeGreaterThan(shipped + 100);
    gates.open("counting", 1);
    await expect
      .poll(() => ledger.final("counting"), { timeout: 10_000 })
      .toMatchObject({ state: "completed", attempt: 1 });
    const all = await lines();
    const total = Number(/^total (\d+)$/.exec(all.at(-1) ?? "")?.[1]);
    expect(total).toBeGreaterThan(shipped + 100);
    expect(all.slice(0, -1)).toEqual(Array.from({ length: total }, (_, n) => `line ${n + 1}`));
    expect(containers.events.filter(({ action }) => action === "start")).toHaveLength(1);
    await expect.poll(containers.all).toBe(0);
    expect(await ledger.attempts("counting")).toEqual([]);
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);

  it("is over when another agent takes its name: the older life stops its work, and the task ends once", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger, tasks, gates } = await setup(world);
    const login = await makeNode(world, databaseUrl, "twin");
    const containers = await watchContainers(world, engine.host, login.node);
    const older = world.agent(login);
    for (const kind of ["docker", "process"] as const) await tasks.submitTask({ task: gates.task(kind, kind) });
    await expect.poll(containers.running, { timeout: 15_000 }).toBe(1);
    await expect.poll(async () => (await ledger.counts()).lease).toBe(2);

    const newer = world.agent(login);
    await newer.says("registered");
    await older.says("lease lost");
    for (const attempt of [2, 3]) for (const id of ["docker", "process"]) gates.open(id, attempt);
    const ends = () => Promise.all(["docker", "process"].map(async (id) => (await ledger.final(id))?.state));
    await expect.poll(ends, { timeout: 20_000 }).toEqual(["completed", "completed"]);
    expect(await older.ended).toEqual({ code: 1, signal: null });
    // What the older life ended was one attempt of each, and no attempt of the newer one.
    for (const id of ["docker", "process"]) expect(await ledger.final(id)).toMatchObject({ attempt: 2 });
    expect(newer.isAlive).toBe(true);
    await expect.poll(containers.all, { timeout: 10_000 }).toBe(0);
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);
});
