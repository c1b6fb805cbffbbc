import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GpuState, NodeService } from "@drover/proto/drover/node";
import { Executor } from "@drover/proto/drover/task";
import { createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { fakeNvidiaSmi } from "../../apps/agent/src/gpu/testing.ts";
import { makeNode, setup } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

/** A node whose nvidia-smi tells of so many GPUs. */
async function startGpuNode(world: World, databaseUrl: string, what: string, count: number) {
  const login = await makeNode(world, databaseUrl, what);
  const folder = join(world.folder, what);
  mkdirSync(folder);
  const uuids = Array.from({ length: count }, (_, n) => `GPU-${login.node}-${n}`);
  const program = fakeNvidiaSmi({ gpus: uuids.map((uuid) => ({ uuid })) }, folder);
  const env = { DROVER_AGENT_NVIDIA_SMI: program.path, DROVER_AGENT_DOCKER: "false" };
  const agent = world.agent({ ...login, env });
  await agent.says("registered");
  return { node: login.node, uuids, program, agent };
}

/** A folder that any task may write to. */
function openFolder(world: World, name: string): string {
  const folder = join(world.folder, name);
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  return folder;
}

describe("tasks on GPUs", () => {
  it("never share one, though a hundred are submitted at once to two nodes", async () => {
    await using world = createWorld();
    const { databaseUrl, ledger, tasks } = await setup(world);
    const left = await startGpuNode(world, databaseUrl, "left", 4);
    const right = await startGpuNode(world, databaseUrl, "right", 4);
    const taken = openFolder(world, "taken");
    // A folder is made by one only.
    const each = (what: string) => `for gpu in $(echo $CUDA_VISIBLE_DEVICES | tr , ' '); do ${what}; done`;
    const script = [
      `cd ${taken}`,
      each("mkdir $gpu || exit 3"),
      `echo $CUDA_VISIBLE_DEVICES >> used`,
      "sleep 0.05",
      each("rmdir $gpu"),
    ].join("; ");
    const counts = Array.from({ length: 100 }, (_, n) => (n % 5 === 0 ? 2 : 1));
    await Promise.all(
      counts.map((gpuCount, n) =>
        tasks.submitTask({
          task: {
            id: `on-gpu-${n}`,
            class: "gpu",
            execution: { executor: Executor.PROCESS, command: ["sh", "-c", script], resources: { gpuCount } },
            retry: { maxAttempts: 1 },
          },
        }),
      ),
    );
    await expect
      .poll(() => ledger.counts(), { timeout: 60_000 })
      .toMatchObject({ task: 100, final: 100, completed: 100 });
    const used = readFileSync(join(taken, "used"), "utf8").trim().split("\n");
    expect(used.map((line) => new Set(line.split(",")).size).toSorted((a, b) => a - b)).toEqual(
      counts.toSorted((a, b) => a - b),
    );
    expect(new Set(used.flatMap((line) => line.split(",")))).toEqual(new Set([...left.uuids, ...right.uuids]));
    expect(await ledger.sql`select from drover.gpu_allocation`).toEqual([]);
    expect(await ledger.faults()).toEqual([]);
  }, 90_000);

  it("move to another node when theirs fails in mid-run, and it is cordoned with what was seen", async () => {
    await using world = createWorld();
    const { databaseUrl, api, ledger, tasks } = await setup(world);
    const nodes = createClient(NodeService, api.transport());
    const all = [await startGpuNode(world, databaseUrl, "left", 1), await startGpuNode(world, databaseUrl, "right", 1)];
    const signs = openFolder(world, "sign");
    const script = `cd ${signs}; until [ -e done ]; do [ ! -e $CUDA_VISIBLE_DEVICES ] || echo 'CUDA error: unspecified launch failure'; sleep 0.1; done`;
    await tasks.submitTask({
      task: {
        id: "tough",
        class: "gpu",
        execution: { executor: Executor.PROCESS, command: ["sh", "-c", script], resources: { gpuCount: 1 } },
        retry: { baseDelay: { seconds: 0n } },
      },
    });
    await expect.poll(() => ledger.lease("tough")).toBeDefined();
    const holder = (await ledger.lease("tough"))?.holder;
    const first = all.find(({ node }) => node === holder);
    const other = all.find(({ node }) => node !== holder);
    const [uuid = ""] = first?.uuids ?? [];
    first?.program.set({ gpus: [{ uuid, trouble: "[GPU requires reset]" }] });
    writeFileSync(join(signs, uuid), "");
    await expect.poll(async () => (await ledger.lease("tough"))?.holder, { timeout: 15_000 }).toBe(other?.node);
    expect(await ledger.attempts("tough")).toMatchObject([{ outcome: "lost", holder, class: "gpu_lost" }]);
    const { gpus } = await nodes.listGpus({});
    expect(gpus.find((gpu) => gpu.uuid === uuid)).toMatchObject({
      state: GpuState.CORDONED,
      evidence: expect.stringContaining("GPU requires reset"),
      holders: [],
    });
    expect(gpus.find((gpu) => gpu.uuid === other?.uuids[0])).toMatchObject({
      state: GpuState.READY,
      holders: [{ taskId: "tough" }],
    });
    writeFileSync(join(signs, "done"), "");
    await expect
      .poll(() => ledger.final("tough"))
      .toMatchObject({ state: "completed", attempt: 2, holder: other?.node });
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);
});
