import { describe, expect, it } from "vitest";
import { startDockerd, whyNoDockerd } from "./dockerd.ts";
import { makeNode, setup, watchContainers } from "./setup.ts";
import { createWorld } from "./world.ts";

const missing = whyNoDockerd();

describe.skipIf(missing !== undefined)(`an engine that is killed under running tasks ${missing ?? ""}`, () => {
  it("and keeps its containers: the tasks go on and end with their first attempt", async () => {
    await using dockerd = await startDockerd({ isLive: true });
    await using world = createWorld();
    const { databaseUrl, ledger, tasks, gates } = await setup(world);
    const login = await makeNode(world, databaseUrl, "steady");
    const containers = await watchContainers(world, dockerd.host, login.node);
    const agent = world.agent({ ...login, env: { DROVER_AGENT_DOCKER_HOST: dockerd.host } });
    const ids = ["ends-meanwhile", "ends-after"];
    for (const id of ids) await tasks.submitTask({ task: gates.task("docker", id) });
    await expect.poll(containers.running, { timeout: 15_000 }).toBe(2);

    await dockerd.kill();
    gates.open("ends-meanwhile", 1);
    await dockerd.start();
    gates.open("ends-after", 1);
    const ends = () => Promise.all(ids.map((id) => ledger.final(id)));
    const end = { state: "completed", attempt: 1, holder: login.node, error: null };
    await expect.poll(ends, { timeout: 20_000 }).toEqual([end, end]);
    await expect.poll(containers.all).toBe(0);
    expect(agent.lines.filter((line) => line.text.includes("lease lost"))).toEqual([]);
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);

  it("and loses its containers: the tasks are tried again and end", async () => {
    await using dockerd = await startDockerd({ isLive: false });
    await using world = createWorld();
    const { databaseUrl, ledger, tasks, gates } = await setup(world);
    const login = await makeNode(world, databaseUrl, "shaken");
    const containers = await watchContainers(world, dockerd.host, login.node);
    world.agent({ ...login, env: { DROVER_AGENT_DOCKER_HOST: dockerd.host } });
    await tasks.submitTask({ task: { ...gates.task("docker", "retried"), retry: { baseDelay: { seconds: 0n } } } });
    await expect.poll(containers.running, { timeout: 15_000 }).toBe(1);

    await dockerd.kill();
    await dockerd.start();
    await expect.poll(async () => (await ledger.lease("retried"))?.attempt, { timeout: 20_000 }).toBe(2);
    gates.open("retried", 2);
    await expect
      .poll(() => ledger.final("retried"), { timeout: 15_000 })
      .toMatchObject({ state: "completed", attempt: 2, holder: login.node });
    expect(await ledger.attempts("retried")).toMatchObject([{ class: "engine_unavailable" }]);
    await expect.poll(containers.all).toBe(0);
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);
});
