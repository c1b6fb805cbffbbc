import { Code, ConnectError } from "@connectrpc/connect";
import { sql } from "drizzle-orm";
import { errorCode } from "@drover/db/fault";
import { inventory } from "@drover/db/node/inventory";
import { GpuState, NodeState } from "@drover/proto/drover/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

describe("Join", () => {
  it("makes a node of a host, with a login of its own that acts for this node only", async () => {
    const { token, info } = await fleet.nodes.createJoinToken({ labels: { zone: "a" }, taints: ["gpu"] });
    expect(token).toMatch(/^drover-join-[\w-]{43}$/);
    expect(info).toMatchObject({ nodeName: "", actor: "anonymous", usedBy: "" });
    const { node, databaseUrl } = await fleet.nodes.join({ token, name: "one" });
    expect(node).toMatchObject({ name: "one", state: NodeState.LOST, labels: { zone: "a" }, taints: ["gpu"] });
    expect(new URL(databaseUrl).username).toMatch(/^drover_node_/);
    const one = await fleet.begin("one", databaseUrl);
    expect(await one.sync()).toMatchObject({ status: "ok" });
    expect(await fleet.begin("two", databaseUrl, one.db).catch(errorCode)).toBe("42501");
    expect(await one.db.run(sql`select from drover.holder`).catch(errorCode)).toBe("42501");
    expect((await fleet.nodes.getNode({ name: "one" })).node).toMatchObject({ state: NodeState.READY, epoch: 1n });
  });

  it("keeps no token, only its digest", async () => {
    const { token } = await fleet.nodes.createJoinToken({});
    const rows = await fleet.api.db.run<{ whole: string }>(sql`select t::text as whole from drover.join_token t`);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map(({ whole }) => whole).join()).not.toContain(token.slice("drover-join-".length));
  });

  it("lets one of two hosts in that use a token at once", async () => {
    const { token } = await fleet.nodes.createJoinToken({});
    const answers = await Promise.allSettled(["left", "right"].map((name) => fleet.nodes.join({ token, name })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const loser = answers.find((answer) => answer.status === "rejected");
    expect(String(loser?.reason)).toMatch(/The join token was used already, at .* by node "(left|right)"/);
    const { nodes } = await fleet.nodes.listNodes({});
    expect(nodes.filter(({ name }) => ["left", "right"].includes(name))).toHaveLength(1);
  });

  it("keeps nobody waiting when a crowd comes without a good token, or with the same one", async () => {
    const crowd = Array.from({ length: 30 }, (_, n) => `crowd-${n}`);
    const refused = await Promise.all(
      crowd.map((name) => messageOf(fleet.nodes.join({ token: `drover-join-bogus-${name}`, name }))),
    );
    expect(new Set(refused).size).toBe(1);
    expect(refused[0]).toContain("got one that is not known");
    const { token } = await fleet.nodes.createJoinToken({});
    const answers = await Promise.allSettled(crowd.map((name) => fleet.nodes.join({ token, name })));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("gives a token back whose join failed", async () => {
    await fleet.join("alive");
    const { token } = await fleet.nodes.createJoinToken({});
    expect(await messageOf(fleet.nodes.join({ token, name: "alive" }))).toContain('There is a node "alive" already');
    expect((await fleet.nodes.join({ token, name: "newcomer" })).node?.name).toBe("newcomer");
  });

  it("says what is wrong with a token, and what to do", async () => {
    const expired = await fleet.nodes.createJoinToken({});
    await fleet.api.db.run(
      sql`update drover.join_token set expires_at = now() - interval '1 s' where id = ${expired.info?.id ?? 0}`,
    );
    const revoked = await fleet.nodes.createJoinToken({});
    await fleet.nodes.revokeJoinToken({ id: revoked.info?.id ?? 0 });
    const named = await fleet.nodes.createJoinToken({ nodeName: "gpu-7" });
    const join = (token: string) => messageOf(fleet.nodes.join({ token, name: "host" }));
    expect(await join(expired.token)).toMatch(/expired at .*drover node token create/);
    expect(await join(revoked.token)).toMatch(/was revoked.*drover node token create/);
    expect(await join(named.token)).toContain('Expected the name "gpu-7"');
    expect(await join("drover-join-nonsense")).toContain("got one that is not known");
    expect((await fleet.nodes.join({ token: named.token, name: "gpu-7" })).node?.name).toBe("gpu-7");
  });

  it("lets a lost node join anew, but nobody take over one that was not started yet, unless the token names it", async () => {
    const first = await fleet.nodes.createJoinToken({});
    const old = await fleet.nodes.join({ token: first.token, name: "twin" });
    const second = await fleet.nodes.createJoinToken({});
    expect(await messageOf(fleet.nodes.join({ token: second.token, name: "twin" }))).toContain("was not started yet");
    const third = await fleet.nodes.createJoinToken({ nodeName: "twin" });
    const twin = await fleet.nodes.join({ token: third.token, name: "twin" });
    expect(await fleet.begin("twin", old.databaseUrl).catch(errorCode)).toBe("28P01");
    const { holderId } = await fleet.begin("twin", twin.databaseUrl);
    await fleet.api.db.run(sql`delete from drover.holder_lease where holder_id = ${holderId}`);
    expect((await fleet.nodes.join({ token: second.token, name: "twin" })).node?.name).toBe("twin");
  });
});

describe("tokens", () => {
  it("are listed with what became of them, and revoked only while they are good", async () => {
    const made = await fleet.nodes.createJoinToken({ nodeName: "listed", ttlSeconds: 60 });
    const id = made.info?.id ?? 0;
    const find = async () => (await fleet.nodes.listJoinTokens({})).tokens.find((token) => token.id === id);
    expect(await find()).toMatchObject({ nodeName: "listed", usedBy: "" });
    await fleet.nodes.join({ token: made.token, name: "listed" });
    expect(await find()).toMatchObject({ usedBy: "listed" });
    expect(await messageOf(fleet.nodes.revokeJoinToken({ id }))).toContain(`There is no join token ${id}`);
    const other = (await fleet.nodes.createJoinToken({})).info?.id ?? 0;
    await fleet.nodes.revokeJoinToken({ id: other });
    await fleet.nodes.revokeJoinToken({ id: other });
  });
});

describe("UpdateNode", () => {
  it("sets and takes away labels and taints", async () => {
    await fleet.join("marked", { zone: "a", rack: "7" });
    const { node } = await fleet.nodes.updateNode({
      name: "marked",
      setLabels: { "gpu-class": "big", "example.org/tier": "1" },
      unsetLabels: ["rack"],
      addTaints: ["gpu", "spot"],
    });
    expect(node).toMatchObject({
      labels: { zone: "a", "gpu-class": "big", "example.org/tier": "1" },
      taints: ["gpu", "spot"],
    });
    const again = await fleet.nodes.updateNode({ name: "marked", addTaints: ["gpu"], removeTaints: ["spot"] });
    expect(again.node?.taints).toEqual(["gpu"]);
  });

  it("refuses what could not be named in constraints, and nodes that there are not", async () => {
    const update = (change: object) => messageOf(fleet.nodes.updateNode({ name: "marked", ...change }));
    expect(await update({ setLabels: { "Zone A": "x" } })).toContain('got "Zone A"');
    expect(await update({ setLabels: { "a/b/c": "x" } })).toContain('got "a/b/c"');
    expect(await update({ setLabels: { zone: "x".repeat(64) } })).toContain("at most 63 characters");
    expect(await update({ addTaints: ["no schedule"] })).toContain('got "no schedule"');
    expect(await update({ setLabels: { a: "1" }, unsetLabels: ["a"] })).toContain("got both");
    expect(await messageOf(fleet.nodes.updateNode({ name: "nobody" }))).toContain('There is no node "nobody"');
  });
});

describe("GPUs", () => {
  it("are listed with who has them, and cordoned until an operator says otherwise", async () => {
    const node = await fleet.join("with-gpus");
    const gpu = {
      kind: "whole" as const,
      vendor: "nvidia" as const,
      model: "H100",
      memoryMib: 81920,
      slotCount: 1,
      isUsable: true,
    };
    const gpus = [0, 1].map((number) => ({ ...gpu, uuid: `GPU-${number}`, number, utilizationPercent: number * 50 }));
    const tell = () => inventory(node.db, node, { gpus, images: [], models: [] });
    await tell();
    const [key = ""] = await fleet.submit(1);
    await fleet.api.db.run(sql`
      with placed as (insert into drover.task_placement (task_id, queue_id, sort_key, holder_id)
        select id, queue_id, 0, ${node.holderId} from drover.task where id = ${key} returning task_id)
      insert into drover.gpu_allocation (gpu_id, slot, task_id)
      select g.id, 0, p.task_id from drover.gpu g, placed p where g.uuid = 'GPU-1'`);
    const { gpus: listed } = await fleet.nodes.listGpus({ node: "with-gpus" });
    expect(listed).toMatchObject([
      { node: "with-gpus", uuid: "GPU-0", state: GpuState.READY, holders: [], utilizationPercent: 0 },
      { uuid: "GPU-1", model: "H100", holders: [{ slot: 0, taskId: expect.stringMatching(/^t[0-9a-z]{13}$/) }] },
    ]);
    const { gpu: cordoned } = await fleet.nodes.cordonGpu({ uuid: "GPU-0", reason: "rattles" });
    expect(cordoned).toMatchObject({ state: GpuState.CORDONED, evidence: "rattles" });
    await tell();
    expect((await fleet.nodes.getNode({ name: "with-gpus" })).node?.gpus[0]?.state).toBe(GpuState.CORDONED);
    expect((await fleet.nodes.uncordonGpu({ uuid: "GPU-0" })).gpu).toMatchObject({
      state: GpuState.READY,
      evidence: "",
    });
    expect(await messageOf(fleet.nodes.cordonGpu({ uuid: "GPU-9" }))).toContain('There is no GPU "GPU-9"');
    const failure = await fleet.nodes
      .cordonGpu({ uuid: "GPU-9" })
      .catch((error: unknown) => ConnectError.from(error).code);
    expect(failure).toBe(Code.NotFound);
  });
});
