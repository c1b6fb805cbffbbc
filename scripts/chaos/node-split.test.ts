import { create } from "@bufbuild/protobuf";
import type { Environment } from "@drover/proto/drover/environment";
import { ReplicaState } from "@drover/proto/drover/environment";
import { DisconnectPolicy_Kind, DisconnectPolicySchema } from "@drover/proto/drover/task";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import { killPostgres } from "./crash.ts";
import { environmentClients, isReady, replicaOf, setupEnvironments, watchNode } from "./environment.ts";
import { openLedger } from "./ledger.ts";
import { type NodeHost, startNodeHost, whyNoNodeHost } from "./node-host.ts";
import { startProxy } from "./proxy.ts";
import { makeNode } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

const missing = whyNoNodeHost();
const policies = ["keep", "stop", "replace"] as const;
const kinds = {
  keep: DisconnectPolicy_Kind.KEEP,
  stop: DisconnectPolicy_Kind.STOP,
  replace: DisconnectPolicy_Kind.REPLACE,
};

describe.skipIf(missing !== undefined)(`two hosts with an engine each ${missing ?? ""}`, () => {
  let hosts: NodeHost[] = [];
  beforeAll(async () => {
    hosts = await Promise.all([startNodeHost(), startNodeHost()]);
  });
  afterAll(() => Promise.all(hosts.map((host) => host[Symbol.asyncDispose]())));

  /** A node on each of the hosts. */
  async function begin(world: World, url: string) {
    const nodes = await Promise.all(
      hosts.map(async (host, index) => {
        const proxy = await startProxy(Number(new URL(url).port), { address: host.gateway });
        world.defer(() => proxy[Symbol.asyncDispose]());
        const { node, databaseUrl } = await makeNode(world, url, `host-${index}`);
        const start = () =>
          world.agent({
            node,
            databaseUrl: proxy.through(databaseUrl),
            namespace: host.namespace,
            env: { DROVER_AGENT_DOCKER_HOST: host.engine.host },
          });
        return { node, host, proxy, start, ...watchNode(world, host.engine.host, node) };
      }),
    );
    const [left, right] = nodes;
    if (left === undefined || right === undefined) throw new Error("Expected two hosts.");
    return { left, right };
  }

  const declare = (name: string) => {
    const polite = `[sh, -c, "trap 'exit 0' TERM; sleep 100000 & wait $!"]`;
    const service = (policy: string, command = polite) =>
      `{ image: ${testImage}, command: ${command}, stopGrace: 4s, update: { healthy: 0s }, onDisconnect: ${policy} }`;
    // It has to be killed, so that it ends as late as it may.
    const stop = service("{ stopAfter: 3s }", `[sleep, "100000"]`);
    const services = `{ keep: ${service("keep")}, stop: ${stop}, replace: ${service("replace")} }`;
    return `{ drover: environment/v1, name: ${name}, together: false, services: ${services} }`;
  };
  const ofPolicy = <T extends { service: string }>(all: T[]) =>
    Object.fromEntries(all.map((one) => [one.service, one])) as Partial<Record<(typeof policies)[number], T>>;

  it("keep all as it is through a cut shorter than the lease, and do as policies say through a longer one", async () => {
    await using world = createWorld();
    const leases = { DROVER_LEASE_SECONDS: "6s", DROVER_LEASE_MARGIN_SECONDS: "2s" };
    const { databaseUrl, ledger, tasks, gates, apply, until, environments } = await setupEnvironments(world, {
      env: leases,
    });
    const { left, right } = await begin(world, databaseUrl);
    const name = world.name("torn");
    await left.start().says("registered");
    await apply(declare(name));
    await until(name, isReady(1));
    for (const policy of policies) {
      const { id, execution } = gates.task("process", policy);
      const onDisconnect = create(DisconnectPolicySchema, { kind: kinds[policy] });
      await tasks.submitTask({ task: { id, execution: { ...execution, onDisconnect } } });
    }
    await expect.poll(async () => (await ledger.counts()).lease).toBe(3);
    await right.start().says("registered");
    const before = await left.kept();
    expect(before).toHaveLength(3);
    const fences = () => Promise.all(policies.map(async (policy) => (await ledger.lease(policy))?.fence));
    const firstFences = await fences();
    const expiry = async () => {
      const [row] = await ledger.sql<{ at: Date }[]>`
        select l.expires_at as at from drover.holder_lease l join drover.holder h on h.id = l.holder_id where h.name = ${left.node}`;
      return row?.at.getTime() ?? 0;
    };

    // Shorter: the next answer comes in time.
    await left.host.cut();
    const silentSince = await expiry();
    await expect.poll(async () => silentSince - Date.now(), { timeout: 6_000 }).toBeLessThan(3_500);
    await left.host.mend();
    await expect.poll(expiry, { timeout: 10_000 }).toBeGreaterThan(silentSince);
    await until(name, isReady(1));
    expect(await left.kept()).toEqual(before);
    expect(await right.kept()).toEqual([]);
    expect(await fences()).toEqual(firstFences);
    expect(await ledger.sql`select from drover.event where kind = 'node.lost'`).toEqual([]);

    // Longer. What is counted of the service with `replace` is followed all along.
    const counted: number[] = [];
    const leaving = new AbortController();
    const following = (async () => {
      for await (const { environment } of environments.watchEnvironment({ name }, { signal: leaving.signal }))
        counted.push(environment?.services.find((one) => one.name === "replace")?.running ?? 0);
    })().catch(() => undefined);
    await left.host.cut();
    const isMoved = (one: Environment) =>
      ["stop", "replace"].every((service) => {
        const { node, state } = replicaOf(one, service);
        return node === right.node && state === ReplicaState.RUNNING;
      });
    const moved = await until(name, isMoved, { timeoutMs: 40_000 });
    expect(replicaOf(moved, "keep")).toMatchObject({ node: left.node, state: ReplicaState.UNKNOWN });
    const [there, here] = [ofPolicy(await left.kept()), ofPolicy(await right.kept())];
    const first = ofPolicy(before);
    expect(Object.keys(here)).toEqual(["replace", "stop"]);
    // The one that was to stop had ended before the next one began; the others run on.
    expect(there).toMatchObject({ keep: first.keep, replace: first.replace, stop: { state: "exited" } });
    const ended = (await left.docker.getContainer(there.stop?.id ?? "").inspect()).State.FinishedAt;
    expect(Date.parse(here.stop?.startedAt ?? "")).toBeGreaterThan(Date.parse(ended));
    // Likewise tasks: the one that is kept is still its node's.
    const holders = () => Promise.all(policies.map(async (policy) => (await ledger.lease(policy))?.holder));
    await expect.poll(holders, { timeout: 15_000 }).toEqual([left.node, right.node, right.node]);

    // The host comes back: what lost its place goes, what kept it has never been touched.
    await left.host.mend();
    await expect.poll(() => left.kept(), { timeout: 20_000 }).toEqual([first.keep]);
    expect(ofPolicy(await right.kept())).toEqual(here);
    await until(name, isReady(1));
    leaving.abort();
    await following;
    expect(Math.max(...counted)).toBe(1);
    for (const policy of policies) for (const attempt of [1, 2]) gates.open(policy, attempt);
    const ends = () => Promise.all(policies.map((policy) => ledger.final(policy)));
    const end = (attempt: number, holder: string) => ({ state: "completed", attempt, holder, error: null });
    await expect.poll(ends, { timeout: 15_000 }).toEqual([end(1, left.node), end(2, right.node), end(2, right.node)]);
    expect(await ledger.faults()).toEqual([]);
  }, 150_000);

  it("are not taken for lost right after an outage of the database, and the one that died in it is in due time", async () => {
    await using world = createWorld();
    const api = await world.api();
    const url = world.embeddedUrl();
    const { apply, until } = environmentClients(api);
    const { left, right } = await begin(world, url);
    const doomed = left.start();
    await doomed.says("registered");
    const name = world.name("patient");
    const service = `{ image: ${testImage}, command: [sleep, "100000"], stopGrace: 0s, onDisconnect: replace }`;
    await apply(`{ drover: environment/v1, name: ${name}, services: { one: ${service} } }`);
    await until(name, isReady(1));
    const survivor = right.start();
    await survivor.says("registered");
    await using ledger = openLedger(url);
    const facts = async () =>
      (
        await ledger.sql<{ name: string; state: string; waited: number | null }[]>`
          select h.name, h.state, extract(epoch from h.lost_at - c.resumed_at)::float8 as waited
            from drover.holder h cross join drover.control c where h.name = any (${[left.node, right.node]}) order by 1`
      ).map((row) => ({ ...row }));

    // Database, API and one agent go away at once, for longer than a lease and its margin.
    await Promise.all([api.process.end("SIGKILL"), doomed.end("SIGKILL")]);
    killPostgres(world.dataDir);
    const at = Date.now();
    await expect.poll(() => Date.now() - at, { timeout: 10_000 }).toBeGreaterThan(5_000);
    await api.start();
    await until(name, (one) => isReady(1)(one) && replicaOf(one, "one").node === right.node, { timeoutMs: 40_000 });
    const [lost, kept] = await facts();
    expect(lost).toMatchObject({ state: "lost", waited: expect.any(Number) });
    expect(lost?.waited).toBeGreaterThanOrEqual(4);
    expect(kept).toMatchObject({ state: "ready", waited: null });
    const told = await ledger.sql`select data ->> 'name' as name from drover.event where kind = 'node.lost'`;
    expect(told.map((row) => row["name"])).toEqual([left.node]);
  }, 90_000);
});
