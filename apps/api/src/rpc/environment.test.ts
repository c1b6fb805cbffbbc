import { EnvironmentState, ReplicaState } from "@drover/proto/drover/environment";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inShort, openTestEnvironments, type TestEnvironments } from "./testing-environment.ts";

let house: TestEnvironments;
beforeAll(async () => {
  house = await openTestEnvironments();
});
afterAll(() => house.api.close());

let count = 0;
const unique = () => `env${(count += 1)}`;
const source = (name: string, services: string) => `{drover: environment/v1, name: ${name}, services: {${services}}}`;

describe("a plan", () => {
  it("says what an apply would do, in the order of the starts, and changes nothing", async () => {
    const name = unique();
    const first = source(name, "web: {image: web:1, dependsOn: db}, db: {image: redis:7}");
    const plan = await house.client.planEnvironment({ source: first });
    expect(plan.generation).toBe(0);
    expect(plan.steps.map(({ action, service }) => `${action} ${service}`)).toEqual(["create db", "create web"]);
    await expect(house.client.getEnvironment({ name })).rejects.toThrow(/not_found.*drover env list/);

    await house.client.applyEnvironment({ source: first });
    const second = source(
      name,
      "db: {image: redis:8}, web: {image: web:1, dependsOn: db, replicas: 3}, log: {image: log:1}",
    );
    const next = await house.client.planEnvironment({ source: second });
    expect(next.generation).toBe(1);
    expect(next.steps.map(({ action, service, changes }) => [action, service, ...changes])).toEqual([
      ["replace", "db", "image: redis:7 -> redis:8"],
      ["create", "log", "image: log:1"],
      ["scale", "web", "replicas: 1 -> 3"],
    ]);
  });

  it("answers every fault of the source at once, with its place", async () => {
    const { faults, steps } = await house.client.planEnvironment({
      source: source("x", "a: {imag: b}, c: {image: d, replicas: -1}"),
    });
    expect(steps).toEqual([]);
    expect(faults.length).toBeGreaterThanOrEqual(2);
    expect(faults.every(({ line, path }) => line === 1 && path.startsWith("services."))).toBe(true);
  });

  it("takes a built-in environment by its name", async () => {
    const { name, steps } = await house.client.planEnvironment({ source: "lightweight" });
    expect(name).toBe("lightweight");
    expect(steps).toHaveLength(9);
  });
});

describe("an apply", () => {
  it("saves generations, an equal source none, and refuses one that another overtook", async () => {
    const name = unique();
    const one = source(name, "web: {image: web:1}");
    const first = await house.client.applyEnvironment({ source: one });
    expect(first).toMatchObject({ created: true, environment: { generation: 1, name, source: one } });
    expect(await house.client.applyEnvironment({ source: one })).toMatchObject({
      created: false,
      environment: { generation: 1 },
    });
    const two = source(name, "web: {image: web:2}");
    expect((await house.client.applyEnvironment({ source: two, expectedGeneration: 1 })).environment?.generation).toBe(
      2,
    );
    await expect(house.client.applyEnvironment({ source: one, expectedGeneration: 1 })).rejects.toThrow(
      /failed_precondition.*Expected generation 1 .* got 2/,
    );
    const { generations } = await house.client.listGenerations({ name });
    expect(generations.map(({ generation, copyOf, actor }) => [generation, copyOf, actor])).toEqual([
      [2, 0, "anonymous"],
      [1, 0, "anonymous"],
    ]);
  });

  it("is refused with every fault of its source", async () => {
    await expect(house.client.applyEnvironment({ source: source("x", "a: {dependsOn: a}") })).rejects.toThrow(
      /invalid_argument.*The environment has .*drover env validate FILE/s,
    );
  });

  it("asks for a place of what has none, and tells the nodes what is too many", async () => {
    const name = unique();
    const node = await house.node(`${name}-a`);
    const hints: string[] = [];
    const stop = house.api.wakeups.subscribe((hint) => void hints.push(hint));
    await house.client.applyEnvironment({ source: source(name, "web: {image: web:1, replicas: 3}") });
    await expect.poll(() => hints).toContain("place");
    const { environment } = await house.client.getEnvironment({ name });
    expect(environment?.state).toBe(EnvironmentState.CONVERGING);
    expect(environment?.services[0]).toMatchObject({ state: ReplicaState.PENDING, replicas: 3, running: 0 });

    await house.place(name, node);
    await house.client.applyEnvironment({ source: source(name, "web: {image: web:1, replicas: 4}") });
    hints.length = 0;
    await house.client.applyEnvironment({ source: source(name, "web: {image: web:1, replicas: 2}") });
    // The fourth had no node: nobody has to remove it.
    expect(inShort(await node.desired())).toEqual([
      "web 1 running web:1 0",
      "web 2 running web:1 0",
      "web 3 gone web:1 0",
    ]);
    await expect.poll(() => hints).toContain(`holder:${node.holderId}`);
    stop();
    await node.comply();
    await house.rollOut(name);
    expect((await house.client.getEnvironment({ name })).environment).toMatchObject({
      state: EnvironmentState.READY,
      message: "Its service runs.",
    });
  });

  it("knows no environment of another namespace", async () => {
    const name = unique();
    await house.client.applyEnvironment({ source: source(name, "web: {image: web:1}") });
    const headers = { "drover-namespace": "nowhere" };
    await expect(house.client.getEnvironment({ name }, { headers })).rejects.toThrow(
      'Namespace "nowhere" does not exist',
    );
    const { environments } = await house.client.listEnvironments({});
    expect(environments.find((one) => one.name === name)).toMatchObject({ services: [], source: "", generation: 1 });
  });
});

describe("the view", () => {
  it("shows what nodes say, and of a lost node what was last known", async () => {
    const name = unique();
    const node = await house.node(`${name}-a`);
    const text = source(name, "web: {image: web:1}, side: {image: side:1, required: false}");
    await house.client.applyEnvironment({ source: text });
    await house.place(name, node);
    const get = async () => (await house.client.getEnvironment({ name })).environment;
    expect((await get())?.services[0]?.message).toBe(`Node "${name}-a" is told to start it.`);
    const ports = [{ containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1", protocol: "tcp" }];
    await node.say(({ service }) =>
      service === "web"
        ? { containerId: "c1", isHealthy: true, ports, restarts: 2, imageDigest: "sha256:1" }
        : {
            state: "failed",
            message: "Ended with exit code 1.",
            drift: [{ field: "image", wanted: "side:1", found: "x" }],
          },
    );
    const seen = await get();
    expect(seen).toMatchObject({
      state: EnvironmentState.DEGRADED,
      message: "Not everything runs. side: Ended with exit code 1.",
    });
    expect(seen?.services[0]?.instances[0]).toMatchObject({
      state: ReplicaState.RUNNING,
      node: `${name}-a`,
      containerId: "c1",
      ports,
      restarts: 2,
      isHealthy: true,
      imageDigest: "sha256:1",
      generation: 1,
    });
    expect((await house.client.getDrift({ name })).drifts).toMatchObject([
      { service: "side", replica: 1, node: `${name}-a`, field: "image", wanted: "side:1", found: "x" },
    ]);
    await node.say(({ service }) =>
      service === "web" ? { state: "failed", message: "Ended with exit code 2." } : undefined,
    );
    expect(await get()).toMatchObject({
      state: EnvironmentState.FAILED,
      message: expect.stringContaining("web: Ended with exit code 2."),
    });
    await house.lose(node);
    expect((await get())?.services[0]?.instances[0]).toMatchObject({
      state: ReplicaState.UNKNOWN,
      message: `Node "${name}-a" does not answer. It was last failed.`,
    });
  });

  it("is streamed at once and on change, until the environment is forgotten", async () => {
    const name = unique();
    const node = await house.node(`${name}-a`);
    await house.client.applyEnvironment({ source: source(name, "web: {image: web:1}") });
    const states: EnvironmentState[] = [];
    const watching = (async () => {
      for await (const { environment } of house.client.watchEnvironment({ name })) states.push(environment?.state ?? 0);
    })();
    await expect.poll(() => states.at(-1)).toBe(EnvironmentState.CONVERGING);
    await house.place(name, node);
    await node.comply();
    await house.age(10);
    await house.rollOut(name);
    await expect.poll(() => states.at(-1)).toBe(EnvironmentState.READY);
    await house.client.deleteEnvironment({ name });
    await expect.poll(() => states.at(-1)).toBe(EnvironmentState.DELETING);
    await node.comply();
    await house.rollOut(name);
    await watching;
    await expect(house.client.getEnvironment({ name })).rejects.toThrow("does not exist");
  });
});

describe("what no node can run", () => {
  it("says of each node why, in the plan and while it waits", async () => {
    const name = unique();
    await house.node(`${name}-a`);
    const text = source(name, "web: {image: web:1, placement: {labels: {disk: fast}}}");
    const { steps } = await house.client.planEnvironment({ source: text });
    const found = steps[0]?.rejections.find((one) => one.node === `${name}-a`);
    expect(found).toMatchObject({ code: "label_missing" });
    await house.client.applyEnvironment({ source: text });
    // The picture of the fleet may be a second old.
    const rejections = async () => {
      const [service] = (await house.client.getEnvironment({ name })).environment?.services ?? [];
      return service?.instances[0]?.rejections.filter((one) => one.node === `${name}-a`).map(({ code }) => code);
    };
    await expect.poll(rejections).toEqual(["label_missing"]);
    const plain = await house.client.planEnvironment({ source: source(unique(), "web: {image: web:1}") });
    expect(plain.steps[0]?.rejections).toEqual([]);
  });
});

describe("a deletion", () => {
  it("is done at once where nothing is on a node, and taken back by an apply", async () => {
    const name = unique();
    const text = source(name, "web: {image: web:1}");
    await house.client.applyEnvironment({ source: text });
    await house.client.deleteEnvironment({ name });
    await expect(house.client.deleteEnvironment({ name })).rejects.toThrow(/not_found.*does not exist/);

    const node = await house.node(`${name}-a`);
    await house.client.applyEnvironment({ source: text });
    await house.place(name, node);
    await house.client.deleteEnvironment({ name });
    await house.client.deleteEnvironment({ name });
    await expect(house.client.stopServices({ environment: name })).rejects.toThrow(
      /failed_precondition.*being deleted/,
    );
    expect(inShort(await node.desired())).toEqual(["web 1 gone web:1 0"]);
    const { created, environment } = await house.client.applyEnvironment({ source: text });
    expect(created).toBe(true);
    expect(environment).toMatchObject({ generation: 2, state: EnvironmentState.CONVERGING });
    await node.comply();
    await house.place(name, node);
    expect(inShort(await node.desired())).toEqual(["web 1 running web:1 0"]);
  });
});

describe("services", () => {
  it("start with what they depend on, stop with a word on who suffers, and say which are not there", async () => {
    const name = unique();
    const node = await house.node(`${name}-a`);
    const services =
      "web: {image: w:1, dependsOn: api}, api: {image: a:1, dependsOn: db}, db: {image: d:1}, log: {image: l:1}";
    await house.client.applyEnvironment({ source: source(name, services) });
    await house.place(name, node);
    await node.comply();
    const stopped = await house.client.stopServices({ environment: name, services: ["db", "api"] });
    expect(stopped).toMatchObject({ services: ["api", "db"], dependents: ["web"] });
    expect(inShort(await node.desired())).toEqual([
      "api 1 stopped a:1 0",
      "db 1 stopped d:1 0",
      "log 1 running l:1 0",
      "web 1 running w:1 0",
    ]);
    const state = async (service: string) =>
      (await house.client.getEnvironment({ name })).environment?.services.find((one) => one.name === service);
    expect(await state("db")).toMatchObject({ isStopped: true, state: ReplicaState.STOPPING });
    await node.comply();
    expect(await state("db")).toMatchObject({ isStopped: true, state: ReplicaState.STOPPED, message: "Was stopped." });

    expect((await house.client.startServices({ environment: name, services: ["web"] })).services).toEqual([
      "db",
      "api",
      "web",
    ]);
    // What runs is left alone; what was stopped begins another round, so that what was said before does not count.
    expect(await state("db")).toMatchObject({ isStopped: false, state: ReplicaState.STARTING });
    expect(inShort(await node.desired())).toContain("db 1 running d:1 1");
    expect(inShort(await node.desired())).toContain("web 1 running w:1 0");
    await expect(house.client.startServices({ environment: name, services: ["wbe"] })).rejects.toThrow(
      /not_found.*has no service "wbe"\. Did you mean "web"\?/,
    );
  });

  it("stay stopped through further generations", async () => {
    const name = unique();
    await house.client.applyEnvironment({ source: source(name, "web: {image: w:1}, log: {image: l:1}") });
    await house.client.stopServices({ environment: name, services: ["web"] });
    await house.client.applyEnvironment({ source: source(name, "web: {image: w:2, replicas: 2}, log: {image: l:1}") });
    const { environment } = await house.client.getEnvironment({ name });
    expect(environment?.services[0]).toMatchObject({ isStopped: true, state: ReplicaState.STOPPED, replicas: 2 });
    await house.client.stopServices({ environment: name });
    await house.rollOut(name);
    expect((await house.client.getEnvironment({ name })).environment).toMatchObject({
      state: EnvironmentState.STOPPED,
      message: "All services are stopped.",
    });
  });

  it("restart at the pace of their update policy, and start where they were stopped", async () => {
    const name = unique();
    const node = await house.node(`${name}-a`);
    const text = source(name, "db: {image: d:1}, web: {image: w:1, replicas: 2, dependsOn: db}");
    await house.client.applyEnvironment({ source: text });
    await house.place(name, node);
    await node.comply();
    await house.age(10);
    expect((await house.client.restartServices({ environment: name, services: ["web"] })).services).toEqual(["web"]);
    expect(inShort(await node.desired())).toEqual(["db 1 running d:1 0", "web 1 running w:1 1", "web 2 running w:1 0"]);
    await node.comply();
    await house.rollOut(name);
    expect(inShort(await node.desired())).toContain("web 2 running w:1 0");
    await house.age(10);
    await house.rollOut(name);
    expect(inShort(await node.desired())).toContain("web 2 running w:1 1");
    await house.client.stopServices({ environment: name });
    await node.comply();
    expect((await house.client.restartServices({ environment: name, services: ["web"] })).services).toEqual([
      "db",
      "web",
    ]);
    expect(inShort(await node.desired())).toEqual(["db 1 running d:1 1", "web 1 running w:1 2", "web 2 running w:1 2"]);
  });
});
