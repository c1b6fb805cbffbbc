import type { Log } from "@drover/daemon/log";
import { createLoop } from "@drover/daemon/loop";
import type { Service } from "@drover/daemon/service";
import type { InventoryGpu } from "@drover/db/node/inventory";
import type { Answer } from "./docker/answer.ts";
import { compareInventory, knownGpus, lostGpus } from "./gpu/compare.ts";
import type { FoundGpu, GpuInventory } from "./gpu/found.ts";
import type { LostGpu } from "./gpu/watch.ts";

/** What a node has to give, as the control plane is told. */
export interface Possessions {
  gpus: InventoryGpu[];
  images: string[];
  models: string[];
}

export interface InventoryOptions {
  findGpus: () => Promise<GpuInventory>;
  /** Undefined: this node has no engine. */
  listImages?: () => Promise<Answer<string[]>>;
  listModels: () => Promise<string[]>;
  /** Tells the control plane; false when a newer life of this node has taken over. */
  send: (found: Possessions) => Promise<boolean>;
  /** Told after each look, before anybody who waits for it goes on. */
  onLook: (gpus: readonly FoundGpu[], lost: LostGpu[]) => Promise<void>;
  /** GPUs came, went or changed. */
  onGpus: (gpus: readonly FoundGpu[]) => Promise<void>;
  log: Log;
  intervalMs?: number;
  /** The longest time between two reports. */
  reportMs?: number;
  /** How soon after a report a change of the GPUs' use alone is reported. */
  useReportMs?: number;
}

export interface NodeInventory {
  /** The GPUs of this host, with those that it had and that cannot be used now. */
  readonly gpus: readonly FoundGpu[];
  /** What the last look says went wrong. */
  readonly last: GpuInventory;
  /** Looks at the GPUs once more; a look under way already is not new enough. */
  look(): Promise<void>;
  /** This node registered: everything has to be told again. */
  registered(): void;
  readonly loop: Service;
}

/** Keeps the control plane informed of what this node has: GPUs, images, model files. The first look is made here. */
export async function createInventory({
  findGpus,
  listImages,
  listModels,
  send,
  onLook,
  onGpus,
  log,
  intervalMs = 30_000,
  reportMs = 600_000,
  useReportMs = 60_000,
}: InventoryOptions): Promise<NodeInventory> {
  let last = await findGpus();
  let gpus: FoundGpu[] = knownGpus([], last);
  let images: string[] = [];
  let sent: { text: string; use: (number | undefined)[]; atMs: number } | undefined;
  let isRegistered = false;
  let looking: Promise<void> = Promise.resolve();

  async function lookOnce(): Promise<void> {
    const now = await findGpus();
    const changes = compareInventory(gpus, now);
    for (const { change, message } of changes) {
      if (change === "found" || change === "recovered") log.info(message);
      else log.warn(message);
    }
    gpus = knownGpus(gpus, now);
    last = now;
    await onLook(gpus, lostGpus(gpus, now));
    if (changes.length > 0) await onGpus(gpus);
  }
  const look = () => {
    looking = looking.catch(() => {}).then(lookOnce);
    return looking;
  };

  async function report(): Promise<void> {
    const answer = await listImages?.();
    // An engine that does not answer has not lost its images.
    if (answer?.ok) images = answer.value;
    const found = { gpus: gpus.map(toReport), images, models: await listModels() };
    const use = found.gpus.map(({ utilizationPercent }) => utilizationPercent);
    const text = JSON.stringify({ ...found, gpus: found.gpus.map((gpu) => ({ ...gpu, utilizationPercent: 0 })) });
    const sinceMs = sent === undefined ? Infinity : performance.now() - sent.atMs;
    const isUseNew = sinceMs >= useReportMs && use.some((percent, at) => differs(percent, sent?.use[at]));
    if (!isRegistered || (sent?.text === text && sinceMs < reportMs && !isUseNew)) return;
    if (await send(found)) sent = { text, use, atMs: performance.now() };
  }

  const loop = createLoop({
    name: "inventory",
    intervalMs,
    log,
    async run() {
      await look();
      await report();
    },
  });
  return {
    get gpus() {
      return gpus;
    },
    get last() {
      return last;
    },
    look,
    registered() {
      isRegistered = true;
      sent = undefined;
      loop.wake();
    },
    loop,
  };
}

// The use of a GPU moves all the time: only much of it is news.
function differs(now: number | undefined, before: number | undefined): boolean {
  return Math.abs((now ?? 0) - (before ?? 0)) >= 15;
}

function toReport(gpu: FoundGpu): InventoryGpu {
  return {
    uuid: gpu.uuid,
    kind: gpu.kind,
    vendor: gpu.vendor,
    number: gpu.index,
    model: gpu.model,
    memoryMib: gpu.memoryMib,
    driver: gpu.driver,
    slotCount: gpu.slotCount,
    isUsable: gpu.isUsable,
    ...(gpu.profile !== undefined && { profile: gpu.profile }),
    ...(gpu.parentUuid !== undefined && { parentUuid: gpu.parentUuid }),
    ...(gpu.utilizationPercent !== undefined && { utilizationPercent: Math.round(gpu.utilizationPercent) }),
    ...(gpu.evidence !== undefined && { evidence: gpu.evidence }),
  };
}
