import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createLog } from "@drover/daemon/log";
import { type Database, openDatabase } from "@drover/db/client";
import { cordonGpu, inventory as sendInventory } from "@drover/db/node/inventory";
import { cancelTask, getTaskDetails, listAttempts } from "@drover/db/query/task";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { createProcessExecutor } from "./executor/process.ts";
import { createGpuFinder } from "./gpu/inventory.ts";
import { fakeNvidiaSmi, fakeRoot } from "./gpu/testing.ts";
import { createGpuWatch } from "./gpu/watch.ts";
import { createInventory, type NodeInventory } from "./inventory.ts";
import { createTestAgent, submitProcess } from "./testing-agent.ts";

let database: TestDatabase;
let db: Database;
let base: string;
let names = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 4 });
  base = mkdtempSync(join(tmpdir(), "drover-agent-"));
});
afterAll(async () => {
  await db.close();
  await database.drop();
  rmSync(base, { recursive: true, force: true });
});

/** A node with two GPUs, of which its nvidia-smi tells. */
async function setup() {
  const log = createLog({ app: "test", level: "silent" });
  const name = `gpu-${(names += 1)}`;
  const uuids = [`GPU-${name}-a`, `GPU-${name}-b`];
  const program = fakeNvidiaSmi({ gpus: uuids.map((uuid) => ({ uuid })) });
  const none = "/no/such/program";
  const watch = createGpuWatch({
    look: () => inventory.look(),
    cordon: (gpu) => cordonGpu(db, node.source, gpu),
    log,
  });
  const inventory: NodeInventory = await createInventory({
    findGpus: createGpuFinder({ nvidiaSmi: program.path, rocmSmi: none, kernelLog: none, root: fakeRoot({}) }),
    listModels: async () => [],
    send: (found) => sendInventory(db, node.source, found),
    onLook: (_, lost) => watch.tell(lost),
    onGpus: async () => {},
    log,
    intervalMs: 60_000,
  });
  const hasGpus = () => true;
  const executor = createProcessExecutor({ enabled: true, holder: name, taskBase: base, stopGraceSeconds: 1, hasGpus });
  const gpus = { list: () => inventory.gpus, watch };
  const node = createTestAgent({ db, name, taskBase: base, gpus, executors: [executor] });
  await node.agent.start();
  await expect.poll(() => node.agent.isLeased).toBe(true);
  inventory.registered();
  await inventory.loop.start();
  const stored = () =>
    db.run<{ uuid: string; state: string; evidence: string | null; isCordoned: boolean }>(sql`
      select uuid, state, evidence, cordoned_at is not null as "isCordoned" from drover.gpu
       where holder_id = ${node.source.holderId} order by uuid`);
  await expect.poll(stored).toHaveLength(2);
  onTestFinished(async () => {
    await node.stop();
    await inventory.loop.stop(AbortSignal.timeout(5000));
  });
  /** As the place operation does: the task, and the first slot of its GPUs. */
  const place = async (key: string, gpu: string) => {
    await db.run(sql`
      insert into drover.task_placement (task_id, queue_id, sort_key, holder_id)
      select r.task_id, r.queue_id, r.sort_key, ${node.source.holderId} from drover.task_ready r where r.task_id = ${key}`);
    await db.run(sql`
      insert into drover.gpu_allocation (gpu_id, slot, task_id)
      select g.id, 0, ${key} from drover.gpu g where g.uuid = ${gpu}`);
  };
  return { node, inventory, program, uuids, stored, place };
}

const show = { command: ["sh", "-c", 'echo "sees [$CUDA_VISIBLE_DEVICES]"'] };
const taskOf = async (key: string) => (await getTaskDetails(db, 1, [key]))[0];

async function endOf(key: string) {
  await expect.poll(async () => (await taskOf(key))?.state).toBe("completed");
  return (await taskOf(key))?.result;
}

/** The attempt ended, and its task waits to be placed again. */
async function lossOf(key: string) {
  await expect.poll(() => listAttempts(db, key)).toHaveLength(1);
  expect(await taskOf(key)).toMatchObject({ state: "pending" });
  expect(await db.run(sql`select 1 from drover.gpu_allocation where task_id = ${key}`)).toEqual([]);
  await cancelTask(db, key, "end of test", "test");
  return (await listAttempts(db, key))[0];
}

describe("tasks on a node with GPUs", () => {
  it("see those that were set aside for them, by UUID, and none otherwise", async () => {
    const { uuids, place } = await setup();
    const placed = await submitProcess(db, { ...show, resources: { gpuCount: 1 } }, "placed");
    await place(placed, uuids[1] ?? "");
    expect(await endOf(placed)).toMatchObject({ stdoutTail: `sees [${uuids[1]}]\n` });
    expect(await endOf(await submitProcess(db, show))).toMatchObject({ stdoutTail: "sees []\n" });
  });

  it("move on when their log has a sign that the host confirms, and the GPU is cordoned with its evidence", async () => {
    const { node, program, uuids, stored, place } = await setup();
    const [gpu = "", other] = uuids;
    const broken = { gpus: [{ uuid: gpu, trouble: "[GPU requires reset]" }, { uuid: other ?? "" }] };
    program.set(broken);
    const script = "echo 'CUDA error: unspecified launch failure'; sleep 60";
    const key = await submitProcess(db, { command: ["sh", "-c", script], resources: { gpuCount: 1 } }, "placed");
    await place(key, gpu);
    expect(await lossOf(key)).toMatchObject({
      outcome: "lost",
      error: { class: "gpu_lost", message: expect.stringContaining(`The GPU ${gpu} is lost: nvidia-smi answers`) },
    });
    expect(await stored()).toMatchObject([
      { uuid: gpu, state: "cordoned", isCordoned: true, evidence: expect.stringContaining("[GPU requires reset]") },
      { uuid: other, state: "ready", isCordoned: false },
    ]);
    expect(node.agent.inHand).toBe(0);
  });

  it("fail as they would anywhere where the host says that their GPU is well", async () => {
    const { uuids, stored, place } = await setup();
    const script = "echo 'CUDA error: unspecified launch failure' >&2; exit 3";
    const key = await submitProcess(db, { command: ["sh", "-c", script], resources: { gpuCount: 1 } }, "placed");
    await place(key, uuids[0] ?? "");
    await expect.poll(() => listAttempts(db, key)).toMatchObject([{ error: { class: "exit_nonzero" } }]);
    expect(await stored()).toMatchObject([{ state: "ready" }, { state: "ready" }]);
    await cancelTask(db, key, "end of test", "test");
  });

  it("move on when a look finds their GPU gone, though they have not noticed", async () => {
    const { node, inventory, program, uuids, stored, place } = await setup();
    const [gpu = "", other = ""] = uuids;
    const key = await submitProcess(db, { command: ["sleep", "60"], resources: { gpuCount: 1 } }, "placed");
    await place(key, gpu);
    await expect.poll(() => node.agent.inHand).toBe(1);
    program.set({ gpus: [{ uuid: other }] });
    await inventory.look();
    expect(await lossOf(key)).toMatchObject({ outcome: "lost", error: { class: "gpu_lost" } });
    expect(await stored()).toMatchObject([
      { uuid: gpu, isCordoned: true },
      { uuid: other, isCordoned: false },
    ]);
  });

  it("do not start on a GPU that this node knows to be out of use", async () => {
    const { inventory, program, uuids, place } = await setup();
    program.set({ gpus: [{ uuid: uuids[1] ?? "" }] });
    await inventory.look();
    const key = await submitProcess(db, { ...show, resources: { gpuCount: 1 } }, "placed");
    await place(key, uuids[0] ?? "");
    expect(await lossOf(key)).toMatchObject({
      error: { class: "gpu_lost", message: expect.stringContaining("nvidia-smi no longer lists it.") },
    });
  });
});
