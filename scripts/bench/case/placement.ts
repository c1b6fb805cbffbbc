import { createPlace } from "../../../apps/api/src/operation/place/place.ts";
import { openDatabase } from "../../../db/client.ts";
import { inventory } from "../../../db/node/inventory.ts";
import { register } from "../../../db/node/register.ts";
import { sync } from "../../../db/node/sync.ts";
import { findClass } from "../../../db/query/class.ts";
import { ensureQueue, findNamespace } from "../../../db/query/queue.ts";
import { submit } from "../../../db/query/submit.ts";
import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { inFlight, nowMs } from "../measure.ts";

const nodes = 1000;
const gpusOfNode = 8;
const tasks = 10_000;

/**
 * Pending tasks with GPUs, of many sorts, over 1,000 nodes with eight GPUs each: read, decided and written round by round
 * until no GPU is left, then claimed by their nodes.
 */
export async function placement(bench: Bench): Promise<Figure[]> {
  const db = openDatabase({ url: bench.url, maxConnections: 4 });
  try {
    const namespaceId = (await findNamespace(db, "default")) ?? 0;
    const gpu = await findClass(db, namespaceId, "gpu");
    if (gpu === undefined) throw new Error("expected the class gpu, got none");
    const holders = await makeNodes(db);
    const queueId = await ensureQueue(db, { namespaceId, classId: gpu.id, executor: "docker", taskType: "placed" });
    const rows = Array.from({ length: tasks }, (_, index) => ({
      queueId,
      execution: JSON.stringify(executionOf(index)),
    }));
    await submit(db, { namespaceId, actor: "bench" }, rows);
    await bench.settle();

    const place = createPlace({ deps: { db } });
    const start = nowMs();
    let placed = 0;
    let left = 0;
    let rounds = 0;
    for (let hasMore = true; hasMore; rounds++) {
      const round = await place();
      if (round.isRefused) throw new Error("expected that nobody else holds these tasks");
      placed += round.tasks;
      ({ left, hasMore } = round);
    }
    const ms = nowMs() - start;
    if (placed + left !== tasks) throw new Error(`expected ${tasks} decisions, got ${placed + left}`);
    const again = nowMs();
    await place();
    const againMs = nowMs() - again;

    let claimed = 0;
    const claiming = await inFlight(4, { count: nodes }, async (index) => {
      const holder = holders[index];
      const answer = holder && (await sync(db, holder, { gpu: gpusOfNode }, false));
      if (answer?.status === "ok") claimed += answer.claims.length;
    });
    if (claimed !== placed) throw new Error(`expected ${placed} tasks to be claimed, got ${claimed}`);
    const figure = { contestant: bench.contestant };
    return [
      {
        ...figure,
        metric: "placement of 10,000 GPU tasks over 1,000 nodes",
        value: (tasks / ms) * 1000,
        unit: "decisions/s",
        note: `${placed} placed and ${left} left in ${rounds} rounds, ${Math.round(ms)} ms`,
      },
      { ...figure, metric: "a round that finds no place for those", value: againMs, unit: "ms", note: `${left} tasks` },
      {
        ...figure,
        metric: "claim of placed tasks by their nodes",
        value: (claimed / claiming.ms) * 1000,
        unit: "tasks/s",
      },
    ];
  } finally {
    await db.close();
  }
}

async function makeNodes(db: ReturnType<typeof openDatabase>) {
  const holders: { holderId: number; epoch: string }[] = [];
  await inFlight(4, { count: nodes }, async (index) => {
    const holder = await register(db, {
      kind: "node",
      name: `gpu-${index}`,
      namespace: "default",
      executors: ["docker"],
      taskTypes: [],
      classes: null,
      slots: { gpu: gpusOfNode },
      facts: { cpu_cores: "128", memory_bytes: String(2 ** 40), gpu_count: String(gpusOfNode) },
      version: "bench",
    });
    const found = Array.from({ length: gpusOfNode }, (_, number) => ({
      uuid: `GPU-${index}-${number}`,
      kind: "whole" as const,
      vendor: "nvidia" as const,
      number,
      model: index % 4 === 0 ? "NVIDIA A100-SXM4-40GB" : "NVIDIA H100 80GB HBM3",
      memoryMib: index % 4 === 0 ? 40_960 : 81_559,
      slotCount: 1,
      isUsable: true,
    }));
    const images = Array.from({ length: 20 }, (_, n) => `image-${(index + n) % 40}:1`);
    await inventory(db, holder, { gpus: found, images, models: [`model-${index % 10}`] });
    holders.push(holder);
  });
  return holders;
}

/** One, two or four GPUs, of any or a certain model, with 10 images and 20 sizes. */
function executionOf(index: number) {
  const gpuCount = index % 20 === 0 ? 4 : index % 6 === 0 ? 2 : 1;
  return {
    image: `image-${index % 10}:1`,
    command: ["train"],
    resources: {
      gpuCount,
      ...(index % 3 === 0 && { gpuModel: "H100" }),
      cpuMillicores: 500 + (index % 20) * 100,
      memoryBytes: 2 ** 30,
    },
  };
}
