import { createClient } from "@connectrpc/connect";
import { inventory } from "@drover/db/node/inventory";
import { register } from "@drover/db/node/register";
import { report, type ReplicaReport } from "@drover/db/node/replica";
import { sync } from "@drover/db/node/sync";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { NodeService } from "@drover/proto/drover/node";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../testing.ts";
import { createPlace } from "./place/place.ts";
import { testGpu } from "./place/testing.ts";

let api: TestApi;
let house: Awaited<ReturnType<typeof setup>>;
beforeAll(async () => {
  api = await createTestApi();
});
beforeEach(async () => {
  await api.db.run(sql`truncate drover.environment, drover.gpu_allocation cascade`);
  await api.db.run(sql`delete from drover.holder`);
  house = await setup();
});
afterAll(() => api.close());

const gpu = "    resources: { gpus: 1 }\n";
const port = '    ports: ["8080:80"]\n';
const service = (name: string, needs = "") => `  ${name}:\n    image: busybox\n${needs}`;
const declare = (name: string, body: string) => `drover: environment/v1\nname: ${name}\nservices:\n${body}`;

describe("services that are stopped", () => {
  it("give back their GPUs once their node has told that they are, and not before", async () => {
    const a = await house.node("a", 1);
    await house.apply(declare("shop", service("model", gpu)));
    await a.comply();
    await house.apply(declare("lab", service("model", gpu)));
    await house.client.stopServices({ environment: "shop" });
    await house.place();
    expect(await house.where()).toEqual({ "shop/model": "a", "lab/model": "-" });
    expect(await house.gpuHolders()).toEqual(["shop/model/1"]);
    await a.comply();
    expect(await house.gpuHolders()).toEqual([]);
    await house.place();
    expect(await house.where()).toEqual({ "shop/model": "a", "lab/model": "a" });
    expect(await a.told()).toMatchObject([
      { service: "model", wanted: "stopped", gpus: null },
      { service: "model", wanted: "running", gpus: [{ uuid: "GPU-a-0" }] },
    ]);
  });

  it("give back what they had when they ended by themselves before", async () => {
    const a = await house.node("a", 1);
    await house.apply(declare("shop", service("model", gpu)));
    await a.say("stopped");
    expect(await house.gpuHolders()).toEqual(["shop/model/1"]);
    await house.client.stopServices({ environment: "shop" });
    expect(await house.gpuHolders()).toEqual([]);
  });

  it("give back their ports, and are told who has them now", async () => {
    const a = await house.node("a");
    await house.apply(declare("shop", service("web", port)));
    await a.comply();
    await house.apply(declare("lab", service("page", port)));
    await expect
      .poll(() => house.reasons("lab"), { timeout: 5000 })
      .toEqual(["Node a has given port 127.0.0.1:8080/tcp to shop/web."]);
    await house.client.stopServices({ environment: "shop" });
    await a.comply();
    await house.place();
    expect(await house.where()).toEqual({ "shop/web": "a", "lab/page": "a" });
    await house.client.startServices({ environment: "shop" });
    await house.place();
    expect(await house.where()).toEqual({ "shop/web": "-", "lab/page": "a" });
    await expect
      .poll(() => house.reasons("shop"), { timeout: 5000 })
      .toEqual(["Node a has given port 127.0.0.1:8080/tcp to lab/page."]);
    expect(await a.told()).toMatchObject([{ service: "page" }]);
  });

  it("are placed anew when they start, on their node if it has room, else on another one", async () => {
    const a = await house.node("a", 1);
    await house.apply(declare("shop", service("model", gpu)));
    const b = await house.node("b", 1);
    await a.comply();
    await house.client.stopServices({ environment: "shop" });
    await a.comply();
    // Of two nodes with as much room it would be the fuller one.
    await house.apply(declare("other", service("web", "    resources: { memory: 8G }\n    placement: { node: b }\n")));
    await b.comply();
    await house.client.startServices({ environment: "shop" });
    await house.place();
    expect(await house.where()).toMatchObject({ "shop/model": "a" });
    expect(await a.told()).toMatchObject([{ service: "model", wanted: "running", gpus: [{ uuid: "GPU-a-0" }] }]);
    await a.comply();
    await house.client.stopServices({ environment: "shop" });
    await a.comply();
    await house.nodes.cordonNode({ name: "a" });
    await house.client.startServices({ environment: "shop" });
    await house.place();
    expect(await house.where()).toMatchObject({ "shop/model": "b" });
    expect(await a.told()).toEqual([]);
  });

  it("stay where they are where they need neither, and keep their environment together", async () => {
    const a = await house.node("a", 1);
    await house.apply(declare("shop", service("web") + service("model", gpu)));
    await house.node("b", 1);
    await a.comply();
    await house.client.stopServices({ environment: "shop" });
    await a.comply();
    expect(await house.where()).toEqual({ "shop/model": "a", "shop/web": "a" });
    await house.client.startServices({ environment: "shop" });
    expect(await house.where()).toEqual({ "shop/model": "-", "shop/web": "a" });
    await house.nodes.cordonNode({ name: "a" });
    await house.place();
    expect(await house.where()).toEqual({ "shop/model": "-", "shop/web": "a" });
    await expect
      .poll(() => house.reasons("shop"), { timeout: 5000 })
      .toEqual(["Node a is cordoned.", "Node b cannot reach the rest of the environment, which runs on node a."]);
  });

  it("keep what they have when they are started again before they have stopped", async () => {
    const a = await house.node("a", 1);
    await house.apply(declare("shop", service("model", gpu)));
    await a.comply();
    await house.client.stopServices({ environment: "shop" });
    await a.say("stopping");
    await house.client.startServices({ environment: "shop" });
    expect(await house.where()).toEqual({ "shop/model": "a" });
    expect(await house.gpuHolders()).toEqual(["shop/model/1"]);
  });

  it("get no place before they are started", async () => {
    await house.node("a");
    await house.apply(declare("shop", service("web", port)));
    await house.client.stopServices({ environment: "shop" });
    await house.nodes.removeNode({ name: "a", force: true });
    await house.node("c");
    await house.place();
    expect(await house.where()).toEqual({ "shop/web": "-" });
    await house.client.startServices({ environment: "shop" });
    await house.place();
    expect(await house.where()).toEqual({ "shop/web": "c" });
  });
});

async function setup() {
  const { db } = api;
  const client = createClient(EnvironmentService, api.transport);
  const nodes = createClient(NodeService, api.transport);
  const place = createPlace({ deps: { db } });
  return {
    client,
    nodes,
    place,
    async apply(source: string) {
      await client.applyEnvironment({ source });
      await place();
    },
    async node(name: string, gpus = 0) {
      const life = await register(db, {
        kind: "node",
        name,
        namespace: "default",
        executors: ["docker"],
        taskTypes: [],
        classes: null,
        slots: {},
        facts: { cpu_cores: "16", memory_bytes: String(64 * 2 ** 30) },
        version: "",
      });
      const found = Array.from({ length: gpus }, (_, number) => testGpu(name, number));
      await inventory(db, life, { gpus: found, images: [], models: [] });
      const told = async () => {
        const answer = await sync(db, life, {}, false);
        return answer.status === "ok" ? (answer.replicas ?? []) : [];
      };
      const say = async (state?: ReplicaReport["state"]) => {
        const states = { running: "running", stopped: "stopped", gone: "gone" } as const;
        const said = (await told()).map(({ id: replicaId, specHash, round, wanted }) => ({
          replicaId,
          specHash,
          round,
          state: state ?? states[wanted],
        }));
        await report(db, life, said);
      };
      return { told, say, comply: () => say() };
    },
    /** Replicas by the node that they are on. */
    async where() {
      const rows = await db.run<{ name: string; node: string }>(sql`
        select e.name || '/' || s.name as name, coalesce(h.name, '-') as node
          from drover.replica r
          join drover.service s on s.id = r.service_id
          join drover.environment e on e.id = r.environment_id
          left join drover.holder h on h.id = r.holder_id
         where r.wanted <> 'gone'`);
      return Object.fromEntries(rows.map(({ name, node }) => [name, node]));
    },
    async gpuHolders() {
      const { gpus } = await nodes.listGpus({});
      return gpus.flatMap(({ holders }) => holders.map(({ replica }) => replica));
    },
    /** Why what waits of an environment has no place, by a picture of the fleet that is a second old at most. */
    async reasons(name: string) {
      const { environment } = await client.getEnvironment({ name });
      const replicas = environment?.services.flatMap((one) => one.instances) ?? [];
      return replicas.flatMap(({ rejections }) => rejections.map(({ message }) => message));
    },
  };
}
