import { sql } from "drizzle-orm";
import { leave } from "@drover/db/node/register";
import { fail } from "@drover/db/node/settle";
import { listAttempts } from "@drover/db/query/task";
import { NodeState } from "@drover/proto/drover/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endDrains } from "../operation/end-drains.ts";
import { createTestFleet, type TestFleet } from "./testing-node.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createTestFleet();
});
afterAll(() => fleet.close());

describe("a cordoned node", () => {
  it("claims nothing new, neither from queues nor of what was placed on it, until it is uncordoned", async () => {
    const node = await fleet.join("cordoned");
    const { node: seen } = await fleet.nodes.cordonNode({ name: "cordoned", reason: "disk" });
    expect(seen).toMatchObject({ state: NodeState.READY, isCordoned: true, cordonReason: "disk" });
    const [key = ""] = await fleet.submit(1);
    expect((await fleet.claims(node, 1)).claims).toEqual([]);
    await fleet.api.db.run(sql`
      insert into drover.task_placement (task_id, queue_id, sort_key, holder_id)
      select task_id, queue_id, sort_key, ${node.holderId} from drover.task_ready where task_id = ${key}`);
    expect((await fleet.claims(node, 1)).claims).toEqual([]);
    await fleet.nodes.uncordonNode({ name: "cordoned" });
    expect((await fleet.claims(node, 1)).claims).toMatchObject([{ task_id: key }]);
    await fleet.nodes.removeNode({ name: "cordoned", force: true });
  });
});

describe("a drain", () => {
  it("tells what it will take, and with plan_only does nothing", async () => {
    const { node } = await fleet.busy("planned", 2);
    const plan = await fleet.nodes.drainNode({ name: "planned", planOnly: true });
    expect(plan.items).toMatchObject([
      { kind: "task", expectedSeconds: 300 },
      { kind: "task", expectedSeconds: 300 },
    ]);
    expect(plan.expectedSeconds).toBe(300);
    expect(
      (await fleet.nodes.drainNode({ name: "planned", planOnly: true, deadlineSeconds: 60 })).expectedSeconds,
    ).toBe(60);
    expect(await fleet.read("planned")).toMatchObject({ state: NodeState.READY, isCordoned: false });
    await leave(node.db, node.holderId, node.epoch);
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("tells where replicas will go, and why one that has no place has none", async () => {
    const node = await fleet.join("moving");
    await fleet.addReplicas(node, ["running"]);
    const alone = await fleet.nodes.drainNode({ name: "moving", planOnly: true });
    expect(alone.items).toMatchObject([{ kind: "replica", name: "shop/web/1", to: "", expectedSeconds: 600 }]);
    expect(alone.expectedSeconds).toBe(600);
    expect(alone.items[0]?.rejections).toContainEqual(
      expect.objectContaining({ node: "moving", code: "node_draining" }),
    );
    await fleet.join("roomy");
    // A picture of the fleet is good for a second.
    const plan = () => fleet.nodes.drainNode({ name: "moving", planOnly: true });
    await expect.poll(async () => (await plan()).items[0]?.to, { timeout: 5000 }).toBe("roomy");
    expect((await plan()).expectedSeconds).toBe(10);
    await fleet.api.db.run(sql`update drover.replica set wanted = 'stopped'`);
    expect((await plan()).items).toMatchObject([{ name: "shop/web/1", to: "", expectedSeconds: 0, rejections: [] }]);
    await fleet.api.db.run(sql`delete from drover.environment`);
  });

  it("lets tasks end until the deadline, and then sends them back to their queues", async () => {
    const { node, keys, fences } = await fleet.busy("draining", 1);
    const { node: seen } = await fleet.nodes.drainNode({ name: "draining", deadlineSeconds: 600, reason: "kernel" });
    expect(seen).toMatchObject({ state: NodeState.DRAINING, isCordoned: true, cordonReason: "kernel", running: 1 });
    await fleet.submit(1);
    expect(await fleet.claims(node, 3)).toMatchObject({ claims: [], cancels: [] });

    await fleet.api.db.run(sql`update drover.holder set drain_deadline_at = now() where id = ${node.holderId}`);
    const [key = ""] = keys;
    const [fence = ""] = fences;
    const hints: string[] = [];
    const unsubscribe = fleet.api.wakeups.subscribe((hint) => void hints.push(hint));
    await endDrains(fleet.api.deps);
    await expect.poll(() => hints).toContain(`holder:${node.holderId}`);
    unsubscribe();
    expect((await fleet.claims(node, 3)).cancels).toMatchObject([{ task_id: key, fence, kind: "drained" }]);
    // As the agent reports it, once the container is gone.
    await fail(node.db, node, [{ taskKey: key, fence, class: "drained", message: "" }]);
    expect(await fleet.stateOf(key)).toBe("pending");
    expect(await listAttempts(fleet.api.db, key)).toMatchObject([{ outcome: "released" }]);
    expect(await fleet.read("draining")).toMatchObject({ state: NodeState.DRAINING, running: 0, replicas: 0 });
    await fleet.api.db.run(sql`delete from drover.task_ready`);
  });

  it("is told as a cancellation where somebody cancelled the task besides", async () => {
    const { node, keys } = await fleet.busy("both", 1);
    await fleet.nodes.drainNode({ name: "both" });
    await fleet.api.db.run(sql`
      update drover.holder set drain_deadline_at = now() where id = ${node.holderId}`);
    await fleet.api.db.run(
      sql`update drover.task_lease set cancel_requested_at = now() where task_id = ${keys[0] ?? ""}`,
    );
    expect((await fleet.claims(node, 0)).cancels).toMatchObject([{ kind: "cancelled" }]);
  });

  it("outlives a restart of the agent, and ends when the node is uncordoned", async () => {
    const node = await fleet.join("restarted");
    await fleet.nodes.drainNode({ name: "restarted" });
    const next = await fleet.begin("restarted", node.url, node.db);
    expect(await fleet.read("restarted")).toMatchObject({ state: NodeState.DRAINING, epoch: BigInt(next.epoch) });
    const [key = ""] = await fleet.submit(1);
    expect((await fleet.claims(next, 1)).claims).toEqual([]);
    const { node: freed } = await fleet.nodes.uncordonNode({ name: "restarted" });
    expect(freed).toMatchObject({ state: NodeState.READY, isCordoned: false, cordonReason: "" });
    expect(freed?.drainDeadlineAt).toBeUndefined();
    expect((await fleet.claims(next, 1)).claims).toMatchObject([{ task_id: key }]);
  });

  it("can be begun while the node is away, and holds when it comes back", async () => {
    const node = await fleet.join("away");
    await leave(node.db, node.holderId, node.epoch);
    expect((await fleet.nodes.drainNode({ name: "away" })).node?.state).toBe(NodeState.LOST);
    await fleet.begin("away", node.url, node.db);
    expect((await fleet.read("away"))?.state).toBe(NodeState.DRAINING);
  });
});
