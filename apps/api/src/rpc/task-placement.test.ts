import { createClient } from "@connectrpc/connect";
import { inventory } from "@drover/db/node/inventory";
import { register } from "@drover/db/node/register";
import { DisconnectPolicy_Kind, GpuShare, TaskService } from "@drover/proto/drover/task";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPlace } from "../operation/place/place.ts";
import { testGpu } from "../operation/place/testing.ts";
import { createTestApi, type TestApi } from "../testing.ts";

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

const container = { image: "busybox", command: ["true"] };

function setup() {
  const tasks = createClient(TaskService, api.transport);
  return {
    submit: async (execution: object, className = "gpu") =>
      (await tasks.submitTask({ task: { class: className, execution: { ...container, ...execution } } })).id,
    get: async (id: string) => {
      const { task } = await tasks.getTask({ id });
      if (task === undefined) throw new Error(`expected task ${id}`);
      return task;
    },
    place: createPlace({ deps: { db: api.db } }),
  };
}

async function startNode(name: string, gpus: number) {
  const registration = {
    kind: "node",
    name,
    namespace: "default",
    taskTypes: [],
    classes: null,
    version: "1",
  } as const;
  const facts = { cpu_cores: "8", memory_bytes: String(2 ** 34) };
  const node = await register(api.db, {
    ...registration,
    taskTypes: [],
    executors: ["docker"],
    slots: { gpu: 8 },
    facts,
  });
  const found = Array.from({ length: gpus }, (_, number) => testGpu(name, number));
  await inventory(api.db, node, { gpus: found, images: [], models: [] });
}

describe("tasks that have to be placed", () => {
  it("tell all that they asked for, and hint at placement and not at their class", async () => {
    const { submit, get } = setup();
    const hints: string[] = [];
    const unsubscribe = api.wakeups.subscribe((hint) => hints.push(hint));
    const execution = {
      resources: { gpuCount: 2, gpuModel: "A100", gpuShare: GpuShare.MIG, gpuProfile: "1g.10gb", gpuMemoryMib: 9000 },
      placement: {
        node: "a",
        labels: { zone: "x" },
        notLabels: { spot: "" },
        tolerates: ["gpu"],
        spread: true,
        models: ["m"],
      },
      gang: { name: "ddp", size: 2 },
      onDisconnect: { kind: DisconnectPolicy_Kind.KEEP },
    };
    const task = await get(await submit(execution));
    expect(task.execution).toMatchObject({ ...execution, resources: { ...execution.resources, memoryBytes: 0n } });
    expect(task.type).toBe("");
    await expect.poll(() => hints).toContain("place");
    expect(hints).not.toContain("class:gpu");
    unsubscribe();
  });

  it("say that nobody is there, then of each node why not, then where they are placed", async () => {
    const { submit, get, place } = setup();
    const id = await submit({ resources: { gpuCount: 1 } });
    expect((await get(id)).pending).toMatchObject({ reason: "no_holder", rejections: [] });
    await startNode("plain", 0);
    // The picture of the fleet is remembered for a moment.
    await expect.poll(async () => (await get(id)).pending?.reason, { timeout: 5000 }).toBe("unplaced");
    const { pending } = await get(id);
    expect(pending?.rejections).toMatchObject([{ node: "plain", code: "gpu_missing" }]);
    expect(pending?.message).toContain("gpu_missing 1");
    await startNode("gpu-01", 1);
    await place();
    await expect.poll(async () => (await get(id)).pending?.reason, { timeout: 5000 }).toBe("queued");
    expect((await get(id)).pending?.message).toContain("placed on node gpu-01");
  });

  it("say how many of a gang are missing", async () => {
    const { submit, get } = setup();
    const gang = { name: "trio", size: 3 };
    const [id] = [await submit({ gang }), await submit({ gang })];
    expect((await get(id)).pending).toMatchObject({
      reason: "gang_incomplete",
      message: expect.stringContaining("2 of the 3 tasks of gang trio"),
    });
  });
});
