import { createLog } from "@drover/daemon/log";
import { EnvironmentState, ReplicaState } from "@drover/proto/drover/environment";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEnvironmentLoop } from "../loop/environment.ts";
import { inShort, openTestEnvironments, type TestEnvironments, type TestNode } from "../rpc/testing-environment.ts";
import { type Followed, followEnvironment } from "./follow-environment.ts";
import { overrideServices } from "./override-services.ts";
import { rollOut } from "./roll-out.ts";

let house: TestEnvironments;
beforeAll(async () => {
  house = await openTestEnvironments();
});
afterAll(() => house.api.close());

const caller = { namespace: "default", actor: "test" };
let count = 0;

interface Running {
  name: string;
  node: TestNode;
  /** Applies the services; it is told nothing to the nodes yet. */
  apply(services: string): Promise<void>;
  /** Nodes do what they are told, time passes, and the roll-out takes a turn. */
  turn(seconds?: number): Promise<void>;
  shown(): Promise<string[]>;
  state(): Promise<{ state: EnvironmentState | undefined; message: string; pausedReason: string }>;
}

/** An environment whose services run, and have for long. */
async function setup(services: string): Promise<Running> {
  const name = `roll${(count += 1)}`;
  const node = await house.node(name);
  const running: Running = {
    name,
    node,
    async apply(text) {
      await house.client.applyEnvironment({ source: `{drover: environment/v1, name: ${name}, services: {${text}}}` });
    },
    async turn(seconds = 10) {
      await house.place(name, node);
      await node.comply();
      await house.age(seconds);
      await house.rollOut(name);
    },
    shown: async () => inShort(await node.desired()),
    async state() {
      const { environment } = await house.client.getEnvironment({ name });
      const { state, message = "", pausedReason = "" } = environment ?? {};
      return { state, message, pausedReason };
    },
  };
  await running.apply(services);
  await running.turn();
  expect((await running.state()).state).toBe(EnvironmentState.READY);
  return running;
}

describe("a roll-out", () => {
  it("takes away no more replicas at once than the policy allows, each only when the last has been healthy for long enough", async () => {
    const { apply, node, name, shown, state } = await setup(
      "web: {image: web:1, replicas: 4, update: {maxUnavailable: 2, healthy: 8s}}",
    );
    await apply("web: {image: web:2, replicas: 4, update: {maxUnavailable: 2, healthy: 8s}}");
    const half = ["web 1 running web:2 0", "web 2 running web:2 0", "web 3 running web:1 0", "web 4 running web:1 0"];
    expect(await shown()).toEqual(half);
    await house.rollOut(name);
    expect(await shown()).toEqual(half);
    await node.comply();
    await house.age(5);
    await house.rollOut(name);
    expect(await shown()).toEqual(half);
    expect(await state()).toMatchObject({ state: EnvironmentState.CONVERGING });
    await house.age(5);
    await house.rollOut(name);
    expect((await shown()).filter((one) => one.includes("web:2"))).toHaveLength(4);
    await node.comply();
    await house.age(10);
    await house.rollOut(name);
    expect(await state()).toMatchObject({ state: EnvironmentState.READY });
  });

  it("is the same on any number of replicas of the API at once", async () => {
    const { apply, name, node, shown } = await setup("web: {image: web:1, replicas: 5}");
    await apply("web: {image: web:2, replicas: 5}");
    for (let done = 2; done <= 5; done += 1) {
      await node.comply();
      await house.age(10);
      await Promise.all(Array.from({ length: 4 }, () => house.rollOut(name)));
      expect((await shown()).filter((one) => one.includes("web:2"))).toHaveLength(done);
    }
  });

  it("updates what does not run at once", async () => {
    const { apply, name, node, shown } = await setup("web: {image: web:1, replicas: 1}");
    await apply("web: {image: web:1, replicas: 4}");
    await house.place(name, node);
    await apply("web: {image: web:2, replicas: 4}");
    // The one that runs is all that there is: it waits for the others.
    expect(await shown()).toEqual([
      "web 1 running web:1 0",
      "web 2 running web:2 0",
      "web 3 running web:2 0",
      "web 4 running web:2 0",
    ]);
  });

  it("leaves alone what may well run on a node that does not answer", async () => {
    const { apply, name, node, shown } = await setup("web: {image: web:1, replicas: 2}");
    await house.lose(node);
    await apply("web: {image: web:2, replicas: 2}");
    await house.rollOut(name);
    const { generations } = await house.client.listGenerations({ name });
    expect(generations).toHaveLength(2);
    expect(await images(name)).toEqual(["web:1", "web:1"]);
    expect(await shown()).toEqual([]);
  });

  it("goes along what services depend on", async () => {
    const { apply, shown, turn, name } = await setup("web: {image: web:1, dependsOn: db}, db: {image: db:1}");
    await apply("web: {image: web:2, dependsOn: db}, db: {image: db:2}");
    expect(await shown()).toEqual(["db 1 running db:2 0", "web 1 running web:1 0"]);
    await turn(1);
    expect(await images(name)).toEqual(["web:1", "db:2"]);
    await turn();
    expect(await images(name)).toEqual(["web:2", "db:2"]);
  });

  it("replaces no container for what a container is not made from", async () => {
    const { apply, node } = await setup("web: {image: web:1, replicas: 2, health: {tcp: 80}}");
    const before = await node.desired();
    await apply("web: {image: web:1, replicas: 2, health: {tcp: 80, interval: 1s}, restart: never}");
    const after = await node.desired();
    expect(after.map(({ specHash, id }) => [id, specHash])).toEqual(before.map(({ specHash, id }) => [id, specHash]));
    expect(after.map(({ generation }) => generation)).toEqual([2, 2]);
    expect(after[0]?.spec.service).toMatchObject({ health: { intervalSeconds: 1 }, restart: { when: "never" } });
  });

  it("asks for another place where a replica needs other things of its node", async () => {
    const { apply, name, node, shown, turn } = await setup("web: {image: web:1, replicas: 2, ports: [80]}");
    await apply("web: {image: web:1, replicas: 2, ports: [80], placement: {labels: {disk: fast}}}");
    expect(await shown()).toEqual(["web 1 gone web:1 0", "web 2 running web:1 0"]);
    const [service] = (await house.client.getEnvironment({ name })).environment?.services ?? [];
    expect(service?.instances.map((one) => one.state)).toEqual([
      ReplicaState.STOPPING,
      ReplicaState.PENDING,
      ReplicaState.RUNNING,
    ]);
    await turn();
    expect(await shown()).toEqual(["web 1 running web:1 0", "web 2 gone web:1 0"]);
    await turn();
    await turn();
    expect((await node.desired()).map(({ spec }) => spec.service.placement.labels)).toEqual([
      { disk: "fast" },
      { disk: "fast" },
    ]);
  });
});

describe("a failed replica", () => {
  const three = (image: string, rest = "") => `web: {image: ${image}, replicas: 3, ${rest}}`;
  const fail = (node: TestNode) =>
    node.say(({ spec }) =>
      spec.service.image === "bad:1" ? { state: "failed", message: "Ended with exit code 1." } : {},
    );

  it("pauses the roll-out until it is healthy, in all services", async () => {
    const more = ", log: {image: log:1}";
    const { apply, name, node, state, turn } = await setup(`${three("web:1")}${more}`);
    await apply(`${three("bad:1")}, log: {image: log:2}`);
    await fail(node);
    await house.rollOut(name);
    const reason = "replica 1 of web is failed: Ended with exit code 1.";
    expect(await state()).toMatchObject({ state: EnvironmentState.DEGRADED, pausedReason: reason });
    expect(await images(name)).toEqual(["bad:1", "web:1", "web:1", "log:2"]);
    // A restart of it is no reason to go on.
    await node.say(({ spec }) => ({ state: spec.service.image === "bad:1" ? "starting" : "running" }));
    await house.age(60);
    await house.rollOut(name);
    expect((await state()).pausedReason).toBe("replica 1 of web has yet to be healthy again.");
    expect(await images(name)).toEqual(["bad:1", "web:1", "web:1", "log:2"]);
    await turn();
    expect((await state()).pausedReason).toBe("");
    expect(await images(name)).toEqual(["bad:1", "bad:1", "web:1", "log:2"]);
    expect(await kinds(name, "environment.")).toContain("environment.paused");
  });

  it("is replaced by the next generation, which ends the pause", async () => {
    const { apply, name, node, state, turn } = await setup(three("web:1"));
    await apply(three("bad:1"));
    await fail(node);
    await house.rollOut(name);
    await apply(three("web:3"));
    expect((await state()).pausedReason).toBe("");
    expect(await images(name)).toEqual(["web:3", "web:1", "web:1"]);
    for (let turns = 0; turns < 3; turns += 1) await turn();
    expect(await images(name)).toEqual(["web:3", "web:3", "web:3"]);
    expect((await state()).state).toBe(EnvironmentState.READY);
  });

  it("takes the environment back, once, to the generation that was good", async () => {
    const policy = "update: {onFailure: rollback}";
    const { apply, name, node, state, turn } = await setup(three("web:1", policy));
    await apply(three("bad:1", policy));
    await fail(node);
    await house.rollOut(name);
    const { generations } = await house.client.listGenerations({ name });
    expect(generations.map((one) => [one.generation, one.copyOf, one.actor])).toEqual([
      [3, 1, "roll-out"],
      [2, 0, "anonymous"],
      [1, 0, "anonymous"],
    ]);
    expect(await images(name)).toEqual(["web:1", "web:1", "web:1"]);
    await turn();
    expect((await state()).state).toBe(EnvironmentState.READY);

    await apply(three("bad:1", policy));
    await node.say(() => ({ state: "failed", message: "All are lost." }));
    await house.rollOut(name);
    await node.say(() => ({ state: "failed", message: "All are lost." }));
    await house.rollOut(name);
    await house.rollOut(name);
    expect((await house.client.listGenerations({ name })).generations[0]).toMatchObject({ generation: 5, copyOf: 3 });
  });

  it("takes the environment back to a generation that ran, though not for long enough", async () => {
    const policy = "update: {onFailure: rollback, healthy: 60s}";
    const { apply, name, node } = await setup("other: {image: other:1}");
    await apply(`other: {image: other:1}, ${three("web:1", policy)}`);
    await house.place(name, node);
    await node.comply();
    await house.rollOut(name);
    await apply(`other: {image: other:1}, ${three("bad:1", policy)}`);
    await fail(node);
    await house.rollOut(name);
    const [newest] = (await house.client.listGenerations({ name })).generations;
    expect(newest).toMatchObject({ generation: 4, copyOf: 2 });
  });

  it("tells why it is not taken back where the service never ran before", async () => {
    const policy = "update: {onFailure: rollback, healthy: 60s}";
    const { apply, name, node, state } = await setup("other: {image: other:1}");
    await apply(`other: {image: other:1}, ${three("web:1", policy)}`);
    await house.place(name, node);
    // Of three one runs, and never did all of them.
    await node.say(({ service, number }) => ({ state: service === "other" || number === 3 ? "running" : "starting" }));
    await apply(`other: {image: other:1}, ${three("bad:1", policy)}`);
    await fail(node);
    await house.rollOut(name);
    expect((await state()).pausedReason).toContain("There is no generation to go back to");
    expect((await house.client.getEnvironment({ name })).environment?.generation).toBe(3);
  });

  it("is no reason to go back or to pause where the generation left its service as it was", async () => {
    const policy = "update: {onFailure: rollback}";
    const { apply, name, node, state } = await setup(`web: {image: web:1, ${policy}}, log: {image: log:1, ${policy}}`);
    await node.say(({ service }) => (service === "log" ? { state: "failed", message: "Full." } : {}));
    await apply(`web: {image: web:2, ${policy}}, log: {image: log:1, ${policy}}`);
    await node.say(({ service }) => (service === "log" ? { state: "failed", message: "Full." } : {}));
    await house.age(10);
    await house.rollOut(name);
    expect((await house.client.getEnvironment({ name })).environment?.generation).toBe(2);
    expect(await images(name)).toEqual(["web:2", "log:1"]);
    expect((await state()).pausedReason).toBe("");
  });

  it("of a first generation leaves nothing to go back to", async () => {
    const { apply, name, node } = await setup("web: {image: web:1}");
    await apply("web: {image: web:1}, new: {image: bad:1, replicas: 2, update: {onFailure: rollback}}");
    await house.place(name, node);
    await fail(node);
    await house.rollOut(name);
    expect((await house.client.getEnvironment({ name })).environment).toMatchObject({
      generation: 2,
      pausedReason: "",
    });
  });
});

describe("a generation that went back", () => {
  it("stays when it fails, whatever the policy says: two that fail would take turns", async () => {
    const policy = "update: {onFailure: rollback}";
    const { apply, name, node, turn, state } = await setup(`web: {image: bad:1, ${policy}}`);
    await apply(`web: {image: web:2, ${policy}}`);
    await turn();
    await house.client.rollbackEnvironment({ name, generation: 1 });
    await node.say(() => ({ state: "failed", message: "Ended." }));
    await house.rollOut(name);
    const { environment } = await house.client.getEnvironment({ name });
    expect(environment).toMatchObject({ generation: 3, state: EnvironmentState.FAILED });
    expect((await state()).message).toContain("web: Ended.");
    await expect(house.client.rollbackEnvironment({ name, generation: 9 })).rejects.toThrow(
      /not_found.*has generations 1 to 3, got 9/,
    );
  });
});

describe("two at once", () => {
  it("take turns: the second finds nothing left to do", async () => {
    const { apply, name, node } = await setup("web: {image: web:1, replicas: 2}");
    await apply("web: {image: web:2, replicas: 2}");
    await node.comply();
    await house.age(10);
    const [row] = await rows<{ id: number }>(sql`select id from drover.environment where name = ${name}`);
    const id = row?.id ?? 0;
    const { deps } = house.api;
    let second: Promise<Followed> | undefined;
    const first = await deps.db.transaction(async (tx) => {
      const followed = await followEnvironment(tx, id, "test");
      second = rollOut(deps, id);
      const waiting = () =>
        rows<object>(sql`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`);
      await expect.poll(async () => (await waiting()).length).toBe(1);
      return followed;
    });
    expect(first.hasChanged).toBe(true);
    expect((await second)?.hasChanged).toBe(false);
    expect(await images(name)).toEqual(["web:2", "web:2"]);
  });
});

describe("a large environment", () => {
  it("is applied and followed within a breath", async () => {
    const name = `roll${(count += 1)}`;
    const services = Array.from({ length: 20 }, (_, index) => `s${index}: {image: web:1, replicas: 50}`).join(", ");
    const apply = (text: string) =>
      house.client.applyEnvironment({ source: `{drover: environment/v1, name: ${name}, services: {${text}}}` });
    const startedAt = performance.now();
    await apply(services);
    expect(await images(name)).toHaveLength(1000);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await apply(services.replaceAll("web:1", "web:2"));
    expect(new Set(await images(name))).toEqual(new Set(["web:2"]));
  });
});

describe("overrides", () => {
  it("change a service without a generation, replace only its container, and are taken back", async () => {
    const { name, shown, turn } = await setup("web: {image: web:1}, log: {image: log:1}");
    expect(
      await overrideServices(house.api.deps, caller, name, [{ name: "web", image: "web:9", env: { A: "1" } }]),
    ).toEqual(["web"]);
    expect(await shown()).toEqual(["log 1 running log:1 0", "web 1 running web:9 0"]);
    expect(
      await overrideServices(house.api.deps, caller, name, [{ name: "web", image: "web:9", env: { A: "1" } }]),
    ).toEqual([]);
    await turn();
    const { environment } = await house.client.getEnvironment({ name });
    expect(environment?.services[0]).toMatchObject({ image: "web:9", state: ReplicaState.RUNNING });
    expect(await overrideServices(house.api.deps, caller, name, [{ name: "web" }])).toEqual(["web"]);
    expect(await shown()).toEqual(["log 1 running log:1 0", "web 1 running web:1 0"]);
    await expect(overrideServices(house.api.deps, caller, name, [{ name: "wep" }])).rejects.toThrow('no service "wep"');
  });
});

describe("the loop", () => {
  it("goes on when a node has said something, and when a replica has been healthy for long enough", async () => {
    const { apply, name, node } = await setup("web: {image: web:1, replicas: 3, update: {healthy: 0.1s}}");
    const { deps, wakeups } = house.api;
    const log = createLog({ app: "test", level: "silent" });
    // Without hints it would not look again for an hour.
    const loop = createEnvironmentLoop({ deps, log, wakeups, idleMs: 3_600_000 });
    await loop.start();
    await apply("web: {image: web:2, replicas: 3, update: {healthy: 0.1s}}");
    for (const done of [1, 2, 3]) {
      const updated = async () => (await images(name)).filter((image) => image === "web:2").length;
      await expect.poll(updated).toBe(done);
      // As an agent does: it starts what is new, and then that runs.
      await node.say(({ spec }) => (spec.service.image === "web:2" ? { state: "starting" } : {}));
      await node.say(() => ({ state: "running" }));
    }
    const isRolling = async () =>
      (await rows<{ is_rolling: boolean }>(sql`select is_rolling from drover.environment where name = ${name}`))[0]
        ?.is_rolling;
    await expect.poll(isRolling).toBe(false);
    await loop.stop(AbortSignal.timeout(2000));
  });
});

function rows<Row>(statement: ReturnType<typeof sql>): Promise<Row[]> {
  return house.api.db.run<Row>(statement);
}

/** Images of the replicas of an environment, as its services are declared. */
async function images(name: string): Promise<string[]> {
  const found = await rows<{ image: string }>(sql`
    select r.spec -> 'service' ->> 'image' as image
      from drover.replica r join drover.environment e on e.id = r.environment_id
     where e.name = ${name} and r.wanted <> 'gone' order by r.service_id, r.number`);
  return found.map(({ image }) => image);
}

async function kinds(name: string, prefix: string): Promise<string[]> {
  const found = await rows<{ kind: string }>(sql`
    select kind from drover.event where kind like ${`${prefix}%`} and data ->> 'environment' = ${name} order by id`);
  return found.map(({ kind }) => kind);
}
