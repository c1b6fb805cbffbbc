import { ConnectError } from "@connectrpc/connect";
import { sql } from "drizzle-orm";
import { errorCode } from "@drover/db/fault";
import { tryLogin } from "@drover/db/node/login";
import { sweep } from "@drover/db/query/control";
import { moveReplicas } from "@drover/db/query/placement";
import { NodeState } from "@drover/proto/drover/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endDrains } from "../operation/end-drains.ts";
import { createTestFleet, type TestFleet } from "./testing-node.ts";

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

describe("a revoked login", () => {
  it("ends the sessions, lets nobody in again, and hands the work on when the lease is over", async () => {
    const { node, keys } = await fleet.busy("revoked", 1);
    const [key = ""] = keys;
    const sessions = async () =>
      (await fleet.api.db.run(sql`select from pg_stat_activity where usename = ${new URL(node.url).username}`)).length;
    expect(await sessions()).toBe(1);
    await fleet.nodes.revokeNodeLogin({ name: "revoked" });
    await expect.poll(sessions).toBe(0);
    expect(await tryLogin(node.url)).toBe("refused");
    expect(await sessions()).toBe(0);
    expect(await fleet.read("revoked")).toMatchObject({ state: NodeState.LOST, running: 1 });

    const settle = () => sweep(fleet.api.db, new Date(0));
    await fleet.api.db.run(sql`update drover.control set resumed_at = now() - interval '1 hour', swept_at = now()`);
    await settle();
    expect(await fleet.stateOf(key)).toBe("running");
    await fleet.api.db.run(
      sql`update drover.holder_lease set expires_at = now() - interval '1 minute' where holder_id = ${node.holderId}`,
    );
    await settle();
    expect(await fleet.stateOf(key)).toBe("pending");
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
    const { node, keys } = await fleet.busy("held", 2);
    const [key = ""] = keys;
    expect(await messageOf(fleet.nodes.removeNode({ name: "held" }))).toContain(
      'Node "held" lives and is not empty (running tasks: 2, replicas: 0).',
    );
    await fleet.nodes.removeNode({ name: "held", force: true });
    expect(await messageOf(fleet.nodes.getNode({ name: "held" }))).toContain('There is no node "held"');
    const roles = await fleet.api.db.run(sql`select from pg_roles where rolname = ${new URL(node.url).username}`);
    expect(roles).toEqual([]);
    // Its agent may be cut off and at work still: until its lease is over nobody else gets the tasks.
    expect(await fleet.stateOf(key)).toBe("running");
    await fleet.api.db.run(sql`delete from drover.holder_lease where holder_id = ${node.holderId}`);
    expect(await endDrains(fleet.api.deps)).toBe(2);
    expect(await fleet.stateOf(key)).toBe("pending");
    await fleet.nodes.removeNode({ name: "held", force: true });
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("takes what a lost node holds at once", async () => {
    const { node, keys } = await fleet.busy("gone", 1);
    await fleet.api.db.run(sql`delete from drover.holder_lease where holder_id = ${node.holderId}`);
    await fleet.nodes.removeNode({ name: "gone" });
    expect(await fleet.stateOf(keys[0] ?? "")).toBe("pending");
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("sends replicas back to placement, and forgets those that were to go", async () => {
    const node = await fleet.join("serving");
    await fleet.addReplicas(node, ["running", "gone"]);
    expect((await fleet.read("serving"))?.replicas).toBe(2);
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
    expect(await fleet.read("phoenix")).toMatchObject({ state: NodeState.READY, isCordoned: false, labels: {} });
    expect(await second.sync()).toMatchObject({ status: "ok" });
  });
});
