import { ConnectError } from "@connectrpc/connect";
import { sql } from "drizzle-orm";
import { errorCode } from "@drover/db/fault";
import { tryLogin } from "@drover/db/node/login";
import { leave } from "@drover/db/node/register";
import { fail } from "@drover/db/node/settle";
import { sweep } from "@drover/db/query/control";
import { moveReplicas } from "@drover/db/query/placement";
import { getTasks, listAttempts } from "@drover/db/query/task";
import { NodeState } from "@drover/proto/drover/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endDrains } from "../operation/end-drains.ts";
import { createTestFleet, type TestFleet, type TestNode } from "./testing-node.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createTestFleet();
});
afterAll(() => fleet.close());

const messageOf = (work: Promise<unknown>) =>
  work.then(
    () => "it was allowed",
    (error: unknown) => ConnectError.from(error).rawMessage,
  );
const stateOf = async (key: string) => (await getTasks(fleet.api.db, 1, [key]))[0]?.state;
const read = async (name: string) => (await fleet.nodes.getNode({ name })).node;

async function claimsOf(node: TestNode, room: number) {
  const answer = await node.sync(room);
  if (answer.status !== "ok") throw new Error(`expected a live lease, got ${answer.status}`);
  return answer;
}

/** A node that runs so many tasks. */
async function busy(name: string, count: number): Promise<{ node: TestNode; keys: string[]; fences: string[] }> {
  const node = await fleet.join(name);
  const keys = await fleet.submit(count);
  const { claims } = await claimsOf(node, count);
  expect(claims).toHaveLength(count);
  return { node, keys, fences: claims.map(({ fence }) => fence) };
}

/** Replicas of shop/web on a node, one for each state that they are wanted in. */
async function addReplicas({ holderId }: TestNode, wanted: string[]): Promise<void> {
  const spec = { service: testService, networks: [], volumes: [] };
  await fleet.api.db.run(sql`
    with e as (insert into drover.environment (namespace_id, name) values (1, 'shop') returning id),
         s as (insert into drover.service (environment_id, name) select id, 'web' from e returning id, environment_id)
    insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash, wanted, holder_id)
    select drover.next_id(), 1, s.environment_id, s.id, w.number, 1, ${JSON.stringify(spec)}::json, 'x', w.wanted, ${holderId}
      from s, unnest(${sql.param(wanted)}::text[]) with ordinality as w (wanted, number)`);
}

const testService = {
  name: "web",
  image: "web:1",
  ports: [],
  resources: {},
  placement: { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [] },
};

describe("a cordoned node", () => {
  it("claims nothing new, neither from queues nor of what was placed on it, until it is uncordoned", async () => {
    const node = await fleet.join("cordoned");
    const { node: seen } = await fleet.nodes.cordonNode({ name: "cordoned", reason: "disk" });
    expect(seen).toMatchObject({ state: NodeState.READY, isCordoned: true, cordonReason: "disk" });
    const [key = ""] = await fleet.submit(1);
    expect((await claimsOf(node, 1)).claims).toEqual([]);
    await fleet.api.db.run(sql`
      insert into drover.task_placement (task_id, queue_id, sort_key, holder_id)
      select task_id, queue_id, sort_key, ${node.holderId} from drover.task_ready where task_id = ${key}`);
    expect((await claimsOf(node, 1)).claims).toEqual([]);
    await fleet.nodes.uncordonNode({ name: "cordoned" });
    expect((await claimsOf(node, 1)).claims).toMatchObject([{ task_id: key }]);
    await fleet.nodes.removeNode({ name: "cordoned", force: true });
  });
});

describe("a drain", () => {
  it("tells what it will take, and with plan_only does nothing", async () => {
    const { node } = await busy("planned", 2);
    const plan = await fleet.nodes.drainNode({ name: "planned", planOnly: true });
    expect(plan.items).toMatchObject([
      { kind: "task", expectedSeconds: 300 },
      { kind: "task", expectedSeconds: 300 },
    ]);
    expect(plan.expectedSeconds).toBe(300);
    expect(
      (await fleet.nodes.drainNode({ name: "planned", planOnly: true, deadlineSeconds: 60 })).expectedSeconds,
    ).toBe(60);
    expect(await read("planned")).toMatchObject({ state: NodeState.READY, isCordoned: false });
    await leave(node.db, node.holderId, node.epoch);
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("tells where replicas will go, and why one that has no place has none", async () => {
    const node = await fleet.join("moving");
    await addReplicas(node, ["running"]);
    const alone = await fleet.nodes.drainNode({ name: "moving", planOnly: true });
    expect(alone.items).toMatchObject([{ kind: "replica", name: "shop/web/1", to: "", expectedSeconds: 10 }]);
    expect(alone.items[0]?.rejections).toContainEqual(
      expect.objectContaining({ node: "moving", code: "node_draining" }),
    );
    await fleet.join("roomy");
    // A picture of the fleet is good for a second.
    const plan = () => fleet.nodes.drainNode({ name: "moving", planOnly: true });
    await expect.poll(async () => (await plan()).items[0]?.to, { timeout: 5000 }).toBe("roomy");
    await fleet.api.db.run(sql`delete from drover.environment`);
  });

  it("lets tasks end until the deadline, and then sends them back to their queues", async () => {
    const { node, keys, fences } = await busy("draining", 1);
    const { node: seen } = await fleet.nodes.drainNode({ name: "draining", deadlineSeconds: 600, reason: "kernel" });
    expect(seen).toMatchObject({ state: NodeState.DRAINING, isCordoned: true, cordonReason: "kernel", running: 1 });
    await fleet.submit(1);
    expect(await claimsOf(node, 3)).toMatchObject({ claims: [], cancels: [] });

    await fleet.api.db.run(sql`update drover.holder set drain_deadline_at = now() where id = ${node.holderId}`);
    const [key = ""] = keys;
    const [fence = ""] = fences;
    const hints: string[] = [];
    const unsubscribe = fleet.api.wakeups.subscribe((hint) => void hints.push(hint));
    await endDrains(fleet.api.deps);
    await expect.poll(() => hints).toContain(`holder:${node.holderId}`);
    unsubscribe();
    expect((await claimsOf(node, 3)).cancels).toMatchObject([{ task_id: key, fence, kind: "drained" }]);
    // As the agent reports it, once the container is gone.
    await fail(node.db, node, [{ taskKey: key, fence, class: "drained", message: "" }]);
    expect(await stateOf(key)).toBe("pending");
    expect(await listAttempts(fleet.api.db, key)).toMatchObject([{ outcome: "released" }]);
    expect(await read("draining")).toMatchObject({ state: NodeState.DRAINING, running: 0, replicas: 0 });
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("is told as a cancellation where somebody cancelled the task besides", async () => {
    const { node, keys } = await busy("both", 1);
    await fleet.nodes.drainNode({ name: "both" });
    await fleet.api.db.run(sql`
      update drover.holder set drain_deadline_at = now() where id = ${node.holderId}`);
    await fleet.api.db.run(
      sql`update drover.task_lease set cancel_requested_at = now() where task_id = ${keys[0] ?? ""}`,
    );
    expect((await claimsOf(node, 0)).cancels).toMatchObject([{ kind: "cancelled" }]);
  });

  it("outlives a restart of the agent, and ends when the node is uncordoned", async () => {
    const node = await fleet.join("restarted");
    await fleet.nodes.drainNode({ name: "restarted" });
    const next = await fleet.begin("restarted", node.url, node.db);
    expect(await read("restarted")).toMatchObject({ state: NodeState.DRAINING, epoch: BigInt(next.epoch) });
    const [key = ""] = await fleet.submit(1);
    expect((await claimsOf(next, 1)).claims).toEqual([]);
    const { node: freed } = await fleet.nodes.uncordonNode({ name: "restarted" });
    expect(freed).toMatchObject({ state: NodeState.READY, isCordoned: false, cordonReason: "" });
    expect(freed?.drainDeadlineAt).toBeUndefined();
    expect((await claimsOf(next, 1)).claims).toMatchObject([{ task_id: key }]);
  });

  it("can be begun while the node is away, and holds when it comes back", async () => {
    const node = await fleet.join("away");
    await leave(node.db, node.holderId, node.epoch);
    expect((await fleet.nodes.drainNode({ name: "away" })).node?.state).toBe(NodeState.LOST);
    await fleet.begin("away", node.url, node.db);
    expect((await read("away"))?.state).toBe(NodeState.DRAINING);
  });
});

describe("a revoked login", () => {
  it("ends the sessions, lets nobody in again, and hands the work on when the lease is over", async () => {
    const { node, keys } = await busy("revoked", 1);
    const [key = ""] = keys;
    const sessions = async () =>
      (await fleet.api.db.run(sql`select from pg_stat_activity where usename = ${new URL(node.url).username}`)).length;
    expect(await sessions()).toBe(1);
    await fleet.nodes.revokeNodeLogin({ name: "revoked" });
    await expect.poll(sessions).toBe(0);
    expect(await tryLogin(node.url)).toBe("refused");
    expect(await sessions()).toBe(0);
    expect(await read("revoked")).toMatchObject({ state: NodeState.LOST, running: 1 });

    const settle = () => sweep(fleet.api.db, new Date(0));
    await fleet.api.db.run(sql`update drover.control set resumed_at = now() - interval '1 hour', swept_at = now()`);
    await settle();
    expect(await stateOf(key)).toBe("running");
    await fleet.api.db.run(
      sql`update drover.holder_lease set expires_at = now() - interval '1 minute' where holder_id = ${node.holderId}`,
    );
    await settle();
    expect(await stateOf(key)).toBe("pending");
    await fleet.api.db.run(sql`delete from drover.task_ready`);
    expect(await messageOf(fleet.nodes.revokeNodeLogin({ name: "revoked" }))).toContain("has no login of its own");

    const { token } = await fleet.nodes.createJoinToken({});
    const back = await fleet.nodes.join({ token, name: "revoked" });
    expect(await (await fleet.begin("revoked", back.databaseUrl)).sync()).toMatchObject({ status: "ok" });
  });

  it("is refused whatever it asks, should a session of it have stayed", async () => {
    const node = await fleet.join("stayed");
    await fleet.api.db.run(sql`select drover.revoke_node_login(${node.holderId}, 'test')`);
    expect(await node.sync().then(String, errorCode)).toBe("42501");
    expect(await fleet.begin("stayed", node.url, node.db).catch(errorCode)).toBe("42501");
  });
});

describe("RemoveNode", () => {
  it("refuses a node that lives and holds work, unless forced", async () => {
    const { node, keys } = await busy("held", 2);
    const [key = ""] = keys;
    expect(await messageOf(fleet.nodes.removeNode({ name: "held" }))).toContain(
      'Node "held" lives and is not empty (running tasks: 2, replicas: 0).',
    );
    await fleet.nodes.removeNode({ name: "held", force: true });
    expect(await messageOf(fleet.nodes.getNode({ name: "held" }))).toContain('There is no node "held"');
    const roles = await fleet.api.db.run(sql`select from pg_roles where rolname = ${new URL(node.url).username}`);
    expect(roles).toEqual([]);
    // Its agent may be cut off and at work still: until its lease is over nobody else gets the tasks.
    expect(await stateOf(key)).toBe("running");
    await fleet.api.db.run(sql`delete from drover.holder_lease where holder_id = ${node.holderId}`);
    expect(await endDrains(fleet.api.deps)).toBe(2);
    expect(await stateOf(key)).toBe("pending");
    await fleet.nodes.removeNode({ name: "held", force: true });
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("takes what a lost node holds at once", async () => {
    const { node, keys } = await busy("gone", 1);
    await fleet.api.db.run(sql`delete from drover.holder_lease where holder_id = ${node.holderId}`);
    await fleet.nodes.removeNode({ name: "gone" });
    expect(await stateOf(keys[0] ?? "")).toBe("pending");
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("sends replicas back to placement, and forgets those that were to go", async () => {
    const node = await fleet.join("serving");
    await addReplicas(node, ["running", "gone"]);
    expect((await read("serving"))?.replicas).toBe(2);
    await fleet.nodes.removeNode({ name: "serving", force: true });
    await moveReplicas(fleet.api.db);
    const rows = await fleet.api.db.run(sql`select number, holder_id, wanted from drover.replica order by id`);
    expect(rows).toEqual([{ number: 1, holder_id: null, wanted: "running" }]);
    await fleet.api.db.run(sql`delete from drover.environment`);
  });

  it("lets the name come back by a new token, without what it had been told", async () => {
    const first = await fleet.join("phoenix", { zone: "a" });
    await fleet.nodes.cordonNode({ name: "phoenix" });
    await fleet.nodes.removeNode({ name: "phoenix" });
    expect(await tryLogin(first.url)).toBe("refused");
    const { nodes } = await fleet.nodes.listNodes({});
    expect(nodes.map(({ name }) => name)).not.toContain("phoenix");
    const second = await fleet.join("phoenix");
    expect(second.holderId).toBe(first.holderId);
    expect(await read("phoenix")).toMatchObject({ state: NodeState.READY, isCordoned: false, labels: {} });
    expect(await second.sync()).toMatchObject({ status: "ok" });
  });
});
