import { create } from "@bufbuild/protobuf";
import { ConstraintsSchema } from "@drover/proto/drover/task";
import { NodeState } from "@drover/proto/drover/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import { isReady, setupEnvironments, watchNode } from "./environment.ts";
import { type NodeHost, startNodeHost, whyNoNodeHost } from "./node-host.ts";
import { makeNode } from "./setup.ts";
import { createWorld } from "./world.ts";

const missing = whyNoNodeHost();

describe.skipIf(missing !== undefined)(`a node that is drained ${missing ?? ""}`, () => {
  let hosts: NodeHost[] = [];
  beforeAll(async () => {
    hosts = await Promise.all([startNodeHost(), startNodeHost()]);
  });
  afterAll(() => Promise.all(hosts.map((host) => host[Symbol.asyncDispose]())));

  it("gives its replicas away one after the other has come up, and its tasks at the deadline, and works again after", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger, tasks, gates, nodes, apply, until } = await setupEnvironments(world);
    const [left, right] = await Promise.all(
      hosts.map(async ({ engine }, index) => {
        const login = await makeNode(world, databaseUrl, `host-${index}`);
        const start = () => world.agent({ ...login, env: { DROVER_AGENT_DOCKER_HOST: engine.host } });
        return { node: login.node, start, ...watchNode(world, engine.host, login.node) };
      }),
    );
    if (left === undefined || right === undefined) throw new Error("Expected two hosts.");
    await left.start().says("registered");
    const name = world.name("pages");
    const command = `[sh, -c, "trap 'exit 0' TERM; sleep 100000 & wait $!"]`;
    const health = `{ command: [sh, -c, "true"], interval: 0.2s }`;
    const page = `{ image: ${testImage}, command: ${command}, replicas: 2, health: ${health}, update: { healthy: 0s } }`;
    await apply(`{ drover: environment/v1, name: ${name}, together: false, services: { page: ${page} } }`);
    await until(name, isReady(1));
    for (const id of ["ends", "stays"]) await tasks.submitTask({ task: gates.task("process", id) });
    await expect.poll(async () => (await ledger.counts()).lease).toBe(2);
    await right.start().says("registered");
    const before = await left.kept();
    const endedAt = new Map<number, number>();
    const events = await left.docker.getEvents({ filters: { event: ["die"], label: ["drover.service=page"] } });
    events.on("data", (bytes: Buffer) => {
      for (const line of bytes.toString().split("\n").filter(Boolean)) {
        const { timeNano, Actor: actor } = JSON.parse(line) as {
          timeNano: number;
          Actor: { Attributes: Record<string, string> };
        };
        endedAt.set(Number(actor.Attributes["drover.number"]), timeNano / 1e6);
      }
    });
    world.defer(() => void (events as unknown as { destroy(): void }).destroy());

    const plan = await nodes.drainNode({ name: left.node, deadlineSeconds: 10, planOnly: true });
    expect(plan.items.map(({ kind, to }) => [kind, to])).toEqual([
      ["replica", right.node],
      ["replica", right.node],
      ["task", ""],
      ["task", ""],
    ]);
    expect(await left.kept()).toEqual(before);
    const at = performance.now();
    await nodes.drainNode({ name: left.node, deadlineSeconds: 10, reason: "new disks" });

    // Replicas: each has its successor before it goes, long before the deadline.
    await expect.poll(() => left.kept(), { timeout: 9_000 }).toEqual([]);
    expect(performance.now() - at).toBeLessThan(9_000);
    const after = await right.kept();
    expect(after.map(({ state }) => state)).toEqual(["running", "running"]);
    for (const { number, startedAt } of after) expect(endedAt.get(number)).toBeGreaterThan(Date.parse(startedAt));
    await until(name, isReady(1));

    // Tasks: one ends in time, the other goes back at the deadline without having used up an attempt.
    gates.open("ends", 1);
    await expect.poll(() => ledger.final("ends")).toMatchObject({ state: "completed", attempt: 1, holder: left.node });
    expect((await ledger.lease("stays"))?.holder).toBe(left.node);
    await expect.poll(async () => (await ledger.lease("stays"))?.holder, { timeout: 15_000 }).toBe(right.node);
    expect(performance.now() - at).toBeGreaterThan(10_000);
    expect(await ledger.attempts("stays")).toMatchObject([{ outcome: "released", holder: left.node }]);
    gates.open("stays", 1);
    await expect
      .poll(() => ledger.final("stays"))
      .toMatchObject({ state: "completed", attempt: 1, holder: right.node });
    const stateOf = async () => (await nodes.getNode({ name: left.node })).node?.state;
    expect(await stateOf()).toBe(NodeState.DRAINING);

    // Taken back: it gets work again, and nothing that moved comes back by itself.
    await nodes.uncordonNode({ name: left.node });
    await expect.poll(stateOf).toBe(NodeState.READY);
    const { id, execution } = gates.task("process", "again");
    await tasks.submitTask({
      task: { id, execution: { ...execution, placement: create(ConstraintsSchema, { node: left.node }) } },
    });
    gates.open(id, 1);
    await expect.poll(() => ledger.final(id)).toMatchObject({ state: "completed", holder: left.node });
    expect(await right.kept()).toEqual(after);
    expect(await ledger.faults()).toEqual([]);
  }, 90_000);
});
