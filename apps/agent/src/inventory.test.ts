import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { type Database, openDatabase } from "@drover/db/client";
import { inventory as send } from "@drover/db/node/inventory";
import { register, type Registered } from "@drover/db/node/register";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import type { Answer } from "./docker/answer.ts";
import { temporaryFolder } from "./executor/testing.ts";
import type { FoundGpu } from "./gpu/found.ts";
import { createGpuFinder } from "./gpu/inventory.ts";
import { parseSharing } from "./gpu/sharing.ts";
import { withGpuSlots } from "./gpu/slot.ts";
import { fakeNvidiaSmi, fakeRoot } from "./gpu/testing.ts";
import type { FakeNvidiaSmi } from "./gpu/testing-nvidia.ts";
import type { LostGpu } from "./gpu/watch.ts";
import { createInventory } from "./inventory.ts";
import { listModelFiles } from "./model-file.ts";

let database: TestDatabase;
let db: Database;
let names = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 2 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

async function setup(
  fake: FakeNvidiaSmi,
  options: { sharing?: string; folder?: string; images?: Answer<string[]> } = {},
) {
  const program = fakeNvidiaSmi(fake);
  const life: Registered = await register(db, {
    kind: "node",
    name: `host-${(names += 1)}`,
    namespace: "default",
    executors: [],
    taskTypes: [],
    classes: null,
    slots: {},
    facts: {},
    version: "test",
  });
  const lost: LostGpu[][] = [];
  const changes: (readonly FoundGpu[])[] = [];
  let reports = 0;
  const engine: { answer: Answer<string[]> } = { answer: options.images ?? { ok: true, value: [] } };
  const inventory = await createInventory({
    findGpus: createGpuFinder({
      nvidiaSmi: program.path,
      rocmSmi: "/no/such/program",
      kernelLog: "/no/such/program",
      sharing: parseSharing(options.sharing ?? ""),
      root: fakeRoot({}),
    }),
    listImages: async () => engine.answer,
    listModels: () => listModelFiles({ folders: options.folder === undefined ? [] : [options.folder] }),
    async send(found) {
      reports += 1;
      return send(db, life, found);
    },
    onLook: async (_, all) => void lost.push(all),
    onGpus: async (gpus) => void changes.push(gpus),
    log: createLog({ app: "test", level: "silent" }),
    intervalMs: 10,
  });
  const stored = () =>
    db.run<{ uuid: string; state: string; evidence: string | null; slots: number }>(sql`
      select uuid, state, evidence, slot_count as slots from drover.gpu where holder_id = ${life.holderId} order by uuid`);
  const node = async () =>
    (
      await db.run<{ images: string[]; models: string[] }>(
        sql`select images, models from drover.holder where id = ${life.holderId}`,
      )
    )[0];
  const stop = () => inventory.loop.stop(AbortSignal.timeout(5000));
  return { program, inventory, lost, changes, stored, node, stop, engine, reports: () => reports };
}

const two = (suffix: string) => [{ uuid: `GPU-aa${suffix}` }, { uuid: `GPU-bb${suffix}` }];

describe("what a node has", () => {
  it("is told once it is registered, and again only when something changed", async () => {
    const { inventory, stored, stop, reports, lost } = await setup({ gpus: two("1") });
    await inventory.loop.start();
    await expect.poll(() => lost.length).toBeGreaterThan(1);
    expect(reports()).toBe(0);
    inventory.registered();
    await expect.poll(stored).toMatchObject([
      { uuid: "GPU-aa1", state: "ready" },
      { uuid: "GPU-bb1", state: "ready" },
    ]);
    const looks = lost.length;
    await expect.poll(() => lost.length).toBeGreaterThan(looks + 2);
    expect(reports()).toBe(1);
    inventory.registered();
    await expect.poll(reports).toBe(2);
    await stop();
  });

  it("keeps a GPU that vanished, out of use, with the evidence, and has it back when it is well", async () => {
    const { program, inventory, stored, stop, lost, changes } = await setup({ gpus: two("2") });
    inventory.registered();
    await inventory.loop.start();
    await expect.poll(stored).toHaveLength(2);
    program.set({ gpus: [{ uuid: "GPU-aa2" }] });
    await expect.poll(stored).toMatchObject([
      { uuid: "GPU-aa2", state: "ready" },
      { uuid: "GPU-bb2", state: "cordoned", evidence: "nvidia-smi no longer lists it." },
    ]);
    expect(lost.at(-1)).toEqual([{ uuid: "GPU-bb2", evidence: "nvidia-smi no longer lists it." }]);
    expect(changes.at(-1)).toMatchObject([{ isUsable: true }, { isUsable: false }]);
    program.set({ gpus: two("2") });
    await expect.poll(stored).toMatchObject([{ state: "ready" }, { state: "ready", evidence: null }]);
    await stop();
  });

  it("counts nothing as lost while the driver's program gives no answer", async () => {
    const { program, inventory, lost } = await setup({ gpus: two("3") });
    program.set({ failure: { text: "NVIDIA-SMI has failed because it couldn't communicate", exitCode: 9 } });
    await inventory.look();
    expect(inventory.gpus).toMatchObject([{ isUsable: false }, { isUsable: false }]);
    expect(lost.at(-1)).toEqual([]);
  });

  it("names images and model files, and keeps the images while the engine is away", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "llama", ".cache"), { recursive: true });
    writeFileSync(join(folder, "llama", "model.safetensors"), "");
    const { inventory, node, stop, engine } = await setup({}, { folder, images: { ok: true, value: ["redis:7"] } });
    inventory.registered();
    await inventory.loop.start();
    await expect.poll(node).toEqual({ images: ["redis:7"], models: ["llama", "llama/model.safetensors"] });
    engine.answer = { ok: false, fault: "unknown", message: "away" };
    writeFileSync(join(folder, "small.gguf"), "");
    const models = ["llama", "llama/model.safetensors", "small.gguf"];
    await expect.poll(node).toEqual({ images: ["redis:7"], models });
    await stop();
  });

  it("makes slots of the places on GPUs that can be used, unless the operator named the classes", async () => {
    const { inventory, program } = await setup({ gpus: two("5") }, { sharing: "GPU-aa5=4" });
    expect(withGpuSlots({ cpu_short: 2 }, inventory.gpus)).toEqual({ cpu_short: 2, gpu: 5, gpu_slurm: 5 });
    expect(withGpuSlots({ gpu: 1 }, inventory.gpus)).toEqual({ gpu: 1, gpu_slurm: 5 });
    expect(withGpuSlots({ cpu_short: 2 }, [])).toEqual({ cpu_short: 2 });
    program.set({ gpus: [{ uuid: "GPU-bb5" }] });
    await inventory.look();
    expect(withGpuSlots({}, inventory.gpus)).toEqual({ gpu: 1, gpu_slurm: 1 });
  });
});

describe("the list of model files", () => {
  it("goes no deeper and no further than its bounds, and takes several folders as one", async () => {
    const [one, other] = [temporaryFolder(), temporaryFolder()];
    mkdirSync(join(one, "a/b/c"), { recursive: true });
    for (const name of ["x", "y", "z"]) writeFileSync(join(other, name), "");
    const folders = [one, other, "/no/such/folder"];
    expect(await listModelFiles({ folders, maxDepth: 2 })).toEqual(["a", "a/b", "x", "y", "z"]);
    expect(await listModelFiles({ folders, maxNames: 4 })).toEqual(["a", "a/b", "a/b/c", "x"]);
    expect((await listModelFiles({ folders, maxEntries: 5 })).length).toBeLessThanOrEqual(6);
  });
});
