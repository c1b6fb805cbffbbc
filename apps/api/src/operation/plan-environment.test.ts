import { createClient } from "@connectrpc/connect";
import { inventory } from "@drover/db/node/inventory";
import { register } from "@drover/db/node/register";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../testing.ts";
import { createPlace } from "./place/place.ts";
import { testGpu } from "./place/testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
beforeEach(async () => {
  await api.db.run(sql`truncate drover.environment, drover.gpu_allocation cascade`);
  await api.db.run(sql`delete from drover.holder`);
});
afterAll(() => api.close());

const half = "resources: { gpus: { share: shared, memory: 15G } }";
const whole = "resources: { gpus: 1 }";
const declare = (services: string[], rest = "together: false") =>
  `drover: environment/v1\nname: lab\n${rest}\nservices:\n${services.map((one) => `  ${one}\n`).join("")}`;
const service = (name: string, more: string) => `${name}: { image: busybox, ${more} }`;

describe("a plan", () => {
  it("says of what does not fit beside the rest why, and where everything else would go", async () => {
    await node("a", [testGpu("a", 0, { kind: "shared", slotCount: 4, memoryMib: 22_528 })]);
    const steps = await plan(declare([service("one", half), service("two", half), service("web", "replicas: 2")]));
    expect(steps).toEqual(["create one -> a", "create two: gpu_taken", "create web -> a a"]);
    expect(await plan(declare([service("one", half)]))).toEqual(["create one -> a"]);
  });

  it("says once what does not fit where all have to be on one node", async () => {
    await node("a", [testGpu("a", 0)]);
    await node("b", [testGpu("b", 0)]);
    const services = [service("web", "replicas: 3"), service("one", whole), service("two", whole)];
    expect(await plan(declare(services, "together: true"))).toEqual([
      "create web",
      "create one",
      "create two: gpu_taken gpu_taken",
    ]);
    expect(await plan(declare(services))).toEqual(["create web -> a a a", "create one -> a", "create two -> b"]);
  });

  it("counts what it takes away as free, and what stays as taken", async () => {
    await node("a", [testGpu("a", 0), testGpu("a", 1)]);
    await apply(declare([service("old", whole), service("kept", whole)]));
    const next = declare([service("kept", whole), service("new", whole), service("more", whole)]);
    expect(await plan(next)).toEqual(["keep kept", "create new -> a", "create more: gpu_taken", "remove old"]);
    expect(await plan(declare([service("old", "resources: { gpus: 2 }")]))).toEqual([
      "replace old -> a",
      "remove kept",
    ]);
    expect(await plan(declare([service("old", `replicas: 2, ${whole}`)]))).toEqual(["scale old -> a", "remove kept"]);
  });

  it("places nothing that is stopped, and gives nothing away", async () => {
    await node("a", [testGpu("a", 0)]);
    await apply(declare([service("one", whole)]));
    await createClient(EnvironmentService, api.transport).stopServices({ environment: "lab" });
    const more = declare([service("one", `replicas: 2, ${whole}`)]);
    expect(await plan(more)).toEqual(["scale one"]);
    expect(await plan(more)).toEqual(["scale one"]);
  });
});

async function node(name: string, gpus: ReturnType<typeof testGpu>[]): Promise<void> {
  const life = await register(api.db, {
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
  await inventory(api.db, life, { gpus, images: [], models: [] });
}

async function apply(source: string): Promise<void> {
  await createClient(EnvironmentService, api.transport).applyEnvironment({ source });
  await createPlace({ deps: { db: api.db } })();
}

/** Steps in short: `create web -> a a`, or the codes of the reasons. */
async function plan(source: string): Promise<string[]> {
  const { steps } = await createClient(EnvironmentService, api.transport).planEnvironment({ source });
  return steps.map(({ action, service: name, nodes, rejections }) => {
    const places = nodes.length > 0 ? ` -> ${nodes.join(" ")}` : "";
    const reasons = rejections.length > 0 ? `: ${rejections.map(({ code }) => code).join(" ")}` : "";
    return `${action} ${name}${places}${reasons}`;
  });
}
