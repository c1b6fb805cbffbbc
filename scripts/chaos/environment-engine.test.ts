import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import { type Dockerd, startDockerd, whyNoDockerd } from "./dockerd.ts";
import { isReady, replicaOf, setupEnvironments, watchNode } from "./environment.ts";
import { startLossySocket } from "./lossy-socket.ts";
import { makeNode } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

const missing = whyNoDockerd();

describe.skipIf(missing !== undefined)(`services on an engine that is not to be relied on ${missing ?? ""}`, () => {
  let dockerd: Dockerd;
  beforeAll(async () => {
    dockerd = await startDockerd({ isLive: false });
  });
  afterAll(() => dockerd?.[Symbol.asyncDispose]());

  async function begin(world: World, host = dockerd.host) {
    const made = await setupEnvironments(world);
    const login = await makeNode(world, made.databaseUrl, "shaken");
    const name = world.name("pair");
    const agent = world.agent({
      ...login,
      env: { DROVER_AGENT_DOCKER_HOST: host, DROVER_AGENT_RECONCILE_SECONDS: "1s" },
    });
    await agent.says("registered");
    const service = `{ image: ${testImage}, command: [sh, -c, "trap 'exit 0' TERM; sleep 100000 & wait $!"] }`;
    const source = `{ drover: environment/v1, name: ${name}, services: { one: ${service}, two: ${service} } }`;
    return { ...made, agent, name, source, ...watchNode(world, dockerd.host, login.node) };
  }

  it("are made once, where the creation succeeded and its reply was lost", async () => {
    await using world = createWorld();
    await using socket = await startLossySocket(dockerd.host, world.folder);
    const { apply, until, name, source, kept, docker } = await begin(world, socket.host);
    const made: string[] = [];
    const events = await docker.getEvents({ filters: { event: ["create"], type: ["container"] } });
    events.on("data", (bytes: Buffer) => made.push(...bytes.toString().split("\n").filter(Boolean)));
    world.defer(() => void (events as unknown as { destroy(): void }).destroy());
    socket.loseReplyTo("/containers/create");
    await apply(source);
    const ready = await until(name, isReady(1));
    expect(socket.lost).toBe(1);
    const ids = ["one", "two"].map((service) => replicaOf(ready, service).containerId);
    expect((await kept()).map(({ id }) => id)).toEqual(ids);
    expect(made).toHaveLength(2);
  }, 60_000);

  it("are left alone while it hangs, and seen to as soon as it goes on", async () => {
    await using world = createWorld();
    const { apply, until, name, source, kept, docker, ledger, agent } = await begin(world);
    await apply(source);
    await until(name, isReady(1));
    const [one, two] = await kept();
    const { Pid: pid } = (await docker.getContainer(two?.id ?? "").inspect()).State;
    dockerd.signal("SIGSTOP");
    try {
      // A container that ends meanwhile is nobody's to see.
      process.kill(pid, "SIGKILL");
      // That is what it says when a look has taken longer than it may.
      await agent.says("the container engine gives no list", { timeoutMs: 30_000 });
      const states = await ledger.sql`select state from drover.replica_status`;
      expect(states.map(({ state }) => state)).toEqual(["running", "running"]);
    } finally {
      dockerd.signal("SIGCONT");
    }
    const ready = await until(
      name,
      (environment) => isReady(1)(environment) && replicaOf(environment, "two").restarts === 1,
    );
    expect(replicaOf(ready, "one").restarts).toBe(0);
    const [first, second] = await kept();
    expect(first).toEqual(one);
    expect(second).toMatchObject({ id: two?.id, state: "running" });
    expect(agent.lines.filter(({ text }) => text.includes("lease lost"))).toEqual([]);
  }, 90_000);

  it("come back with it when it was killed and took them along", async () => {
    await using world = createWorld();
    const { apply, until, name, source, kept, agent } = await begin(world);
    await apply(source);
    await until(name, isReady(1));
    const before = await kept();
    await dockerd.kill();
    await agent.says("the container engine gives no list");
    await dockerd.start();
    const at = performance.now();
    const isBack = async () => {
      const after = await kept();
      return after.map(({ service, state, startedAt }, n) => [service, state, startedAt !== before[n]?.startedAt]);
    };
    await expect.poll(isBack, { timeout: 20_000 }).toEqual([
      ["one", "running", true],
      ["two", "running", true],
    ]);
    expect(performance.now() - at).toBeLessThan(10_000);
    await until(name, isReady(1));
    expect(agent.lines.filter(({ text }) => text.includes("lease lost"))).toEqual([]);
  }, 60_000);
});
