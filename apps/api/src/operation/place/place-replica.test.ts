import { cordonGpu } from "@drover/db/node/inventory";
import { leave } from "@drover/db/node/register";
import { sync } from "@drover/db/node/sync";
import type { TestHolder } from "@drover/db/testing-queue";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { explainDrain, explainReplicas } from "./explain.ts";
import { openTestFleet, type TestFleet } from "./testing.ts";

let house: TestFleet;
beforeAll(async () => {
  house = await openTestFleet();
});
beforeEach(() => house.clear());
afterAll(() => house.close());

const gpus = (count: number) => ({ resources: { gpus: { count, share: "whole" as const } } });
const port = (hostPort: number) => ({ containerPort: 80, hostPort, hostIp: "127.0.0.1", protocol: "tcp" as const });
const only = (node: string) => ({
  placement: { node, labels: {}, notLabels: {}, tolerates: [], strategy: "binpack" as const, models: [] },
});

async function told(holder: TestHolder) {
  const answer = await sync(house.queue.db, holder, {}, false);
  if (answer.status !== "ok") throw new Error(`expected a lease, got ${answer.status}`);
  return (answer.replicas ?? []).map(({ service, wanted, gpus: held }) => ({
    service,
    wanted,
    gpus: held?.map(({ uuid }) => uuid),
  }));
}

const drain = (name: string, seconds = 600) =>
  house.run(sql`
    update drover.holder set drain_requested_at = now(), drain_deadline_at = now() + ${seconds} * interval '1 second' where name = ${name}`);

describe("createPlace, of replicas", () => {
  it("places a replica with its GPUs, tells its node, and gives the GPUs to no task", async () => {
    const node = await house.node("a", 2);
    await house.environment("shop", { model: gpus(2) });
    await house.task();
    expect(await house.place()).toMatchObject({ replicas: 1, tasks: 0, left: 1 });
    expect(await told(node)).toEqual([{ service: "model", wanted: "running", gpus: ["GPU-a-0", "GPU-a-1"] }]);
  });

  it("puts all of an environment that is to be together on one node, and later ones to the others", async () => {
    await house.node("a", 1);
    await house.node("b", 2);
    await house.environment("shop", { web: {}, model: gpus(1), other: gpus(1) }, { isTogether: true });
    expect(await house.place()).toMatchObject({ replicas: 3 });
    for (const name of ["web", "model", "other"]) expect(await house.replicas(name)).toEqual(["b running"]);
    await house.run(
      sql`update drover.replica set holder_id = null where service_id = (select id from drover.service where name = 'web')`,
    );
    await house.run(sql`update drover.holder set cordoned_at = now() where name = 'b'`);
    expect(await house.place()).toMatchObject({ replicas: 0, left: 1 });
    await house.run(sql`update drover.holder set cordoned_at = null where name = 'b'`);
    expect(await house.place()).toMatchObject({ replicas: 1 });
    expect(await house.replicas("web")).toEqual(["b running"]);
  });

  it("gives a port of a node away once", async () => {
    await house.node("a");
    await house.environment("shop", { one: { ports: [port(8080)] }, two: { ports: [port(8080)] } });
    expect(await house.place()).toMatchObject({ replicas: 1, left: 1 });
    expect(await house.place()).toMatchObject({ replicas: 0, left: 1 });
  });

  it("says of each node why it cannot run a replica", async () => {
    await house.node("a");
    const cordoned = await house.node("b", 1);
    await house.run(sql`update drover.holder set cordoned_at = now() where id = ${cordoned.holderId}`);
    const { model } = await house.environment("shop", { model: gpus(1) });
    await house.place();
    const [row] = await house.run<{ id: number }>(sql`select id from drover.environment where name = 'shop'`);
    const db = { run: house.run };
    const rejections = (await explainReplicas(db, [row?.id ?? 0])).get(model ?? "");
    expect(rejections?.map(({ node, code }) => `${node} ${code}`)).toEqual(["a gpu_missing", "b node_cordoned"]);
  });
});

describe("a node that drains", () => {
  it("keeps a replica until its replacement runs elsewhere", async () => {
    const [a] = [await house.node("a")];
    const { web } = await house.environment("shop", { web: {} });
    await house.place();
    await house.says(a, web ?? "");
    const b = await house.node("b");
    const db = { run: house.run };
    expect((await explainDrain(db, a.holderId)).get(web ?? "")).toEqual({ to: "b", rejections: [] });
    await drain("a");
    expect(await house.place()).toMatchObject({ moved: 1, replicas: 1, leaving: 1 });
    expect(await house.replicas("web")).toEqual(["(a running)", "b running"]);
    expect(await house.place()).toMatchObject({ moved: 0, leaving: 1 });
    const [, replacement] = await house.run<{ id: string }>(sql`select r.id from drover.replica r order by r.id`);
    await house.says(b, replacement?.id ?? "");
    expect(await house.place()).toMatchObject({ leaving: 0 });
    expect(await house.replicas("web")).toEqual(["(a gone)", "b running"]);
    expect(await told(a)).toMatchObject([{ service: "web", wanted: "gone" }]);
    await house.says(a, web ?? "", "gone");
    expect(await house.replicas("web")).toEqual(["b running"]);
  });

  it("moves an environment that is to be together as a whole", async () => {
    await house.node("a");
    await house.environment("shop", { web: {}, cache: {} }, { isTogether: true });
    await house.place();
    await house.node("b", 0, { slots: {} });
    await house.node("c", 0, { slots: {} });
    await drain("a");
    expect(await house.place()).toMatchObject({ moved: 2, replicas: 2 });
    const [[, web], [, cache]] = [await house.replicas("web"), await house.replicas("cache")];
    expect(web).toMatch(/^[bc] running$/);
    expect(cache).toBe(web);
  });

  it("lets go at the deadline what has no place elsewhere, and of what is stopped at once", async () => {
    await house.node("a");
    const { idle } = await house.environment("shop", { web: only("a"), idle: {} });
    await house.run(sql`update drover.replica set wanted = 'stopped' where id = ${idle}`);
    await house.place();
    await drain("a");
    await house.place();
    expect(await house.replicas("web")).toEqual(["(a running)", "- running"]);
    expect(await house.replicas("idle")).toEqual(["- stopped"]);
    await drain("a", -1);
    await house.place();
    expect(await house.replicas("web")).toEqual(["(a gone)", "- running"]);
  });

  it("keeps what is there when the drain is taken back", async () => {
    await house.node("a");
    await house.environment("shop", { web: only("a") });
    await house.place();
    await drain("a");
    await house.place();
    await house.run(sql`update drover.holder set drain_requested_at = null, drain_deadline_at = null`);
    await house.place();
    expect(await house.replicas("web")).toEqual(["a running"]);
  });
});

describe("a node that is lost", () => {
  it("keeps, replaces at once, or replaces later, as each service says", async () => {
    const a = await house.node("a");
    await house.environment("shop", {
      keeps: { onDisconnect: { kind: "keep" } },
      moves: { onDisconnect: { kind: "replace" } },
      stops: { onDisconnect: { kind: "stop", afterSeconds: 300 } },
    });
    await house.place();
    await house.node("b");
    await house.lose(a, 200);
    expect(await house.place()).toMatchObject({ moved: 1, replicas: 1 });
    expect(await house.replicas("moves")).toEqual(["b running"]);
    for (const name of ["keeps", "stops"]) expect(await house.replicas(name)).toEqual(["a running"]);
    await house.lose(a, 301);
    await house.place();
    expect(await house.replicas("stops")).toEqual(["b running"]);
    expect(await house.replicas("keeps")).toEqual(["a running"]);
  });

  it("has had the time to end what it is to stop before another node starts it", async () => {
    const a = await house.node("a");
    await house.environment("shop", {
      slow: { onDisconnect: { kind: "stop", afterSeconds: 10 }, stopGraceSeconds: 100 },
      quick: { onDisconnect: { kind: "stop", afterSeconds: 10 }, stopGraceSeconds: 10 },
    });
    await house.place();
    await house.node("b");
    // It was last heard of 40 s before it was declared lost, stops it 15 s after that, and kills it 100 s later.
    await house.lose(a, 74);
    await house.place();
    expect(await house.replicas("slow")).toEqual(["a running"]);
    expect(await house.replicas("quick")).toEqual(["b running"]);
    await house.lose(a, 76);
    await house.place();
    expect(await house.replicas("slow")).toEqual(["b running"]);
  });

  it("finds on its return that the replica is no longer among its own", async () => {
    const a = await house.node("a");
    const { web } = await house.environment("shop", { web: { onDisconnect: { kind: "replace" } } });
    await house.place();
    await house.lose(a);
    await house.node("b");
    await house.place();
    const again = await house.node("a");
    expect(await told(again)).toEqual([]);
    expect(await house.says(again, web ?? "")).toBe(true);
    expect(await house.queue.count("replica_status")).toBe(0);
  });

  it("moves nothing while an agent is upgraded", async () => {
    const a = await house.node("a");
    await house.environment("shop", { web: { onDisconnect: { kind: "replace" } } });
    await house.place();
    await house.node("b");
    await leave(house.queue.db, a.holderId, a.epoch);
    expect(await house.place()).toMatchObject({ moved: 0 });
    expect(await house.replicas("web")).toEqual(["a running"]);
  });

  it("is forgotten by replicas that were to go, once it is lost for long or removed", async () => {
    const a = await house.node("a");
    await house.environment("shop", { web: { onDisconnect: { kind: "keep" } }, never: only("nowhere") });
    await house.place();
    await house.run(sql`update drover.replica set wanted = 'gone'`);
    await house.lose(a, 60);
    await house.place();
    expect(await house.replicas("never")).toEqual([]);
    expect(await house.replicas("web")).toEqual(["a gone"]);
    await house.lose(a, 301);
    await house.place();
    expect(await house.replicas("web")).toEqual([]);
  });
});

describe("a GPU that fails under a replica", () => {
  it("is left for another one, of the same node or elsewhere", async () => {
    const a = await house.node("a", 1);
    await house.environment("shop", { model: gpus(1) });
    await house.place();
    await cordonGpu(house.queue.db, a, { uuid: "GPU-a-0", evidence: "Xid 79" });
    // There is no other: half a service is better than none.
    expect(await house.place()).toMatchObject({ replicas: 0, left: 1 });
    expect(await house.replicas("model")).toEqual(["a running"]);
    const b = await house.node("b", 1);
    expect(await house.place()).toMatchObject({ replicas: 1, left: 0 });
    expect(await told(b)).toEqual([{ service: "model", wanted: "running", gpus: ["GPU-b-0"] }]);
    expect(await told(a)).toEqual([]);
    expect(await house.place()).toMatchObject({ replicas: 0, left: 0 });
  });

  it("is given to a replica whose service asks for one only now", async () => {
    const a = await house.node("a", 1);
    const { model } = await house.environment("shop", { model: {} });
    await house.place();
    await house.run(sql`
      update drover.replica set spec = jsonb_set(spec::jsonb, '{service,resources,gpus}', '{"count": 1, "share": "whole"}')::json where id = ${model}`);
    expect(await house.place()).toMatchObject({ replicas: 1 });
    expect(await told(a)).toEqual([{ service: "model", wanted: "running", gpus: ["GPU-a-0"] }]);
  });
});
