import type { ConfigResult } from "@drover/daemon/config";
import type { Log } from "@drover/daemon/log";
import type { Metrics } from "@drover/daemon/metric";
import type { Executor } from "@drover/db/client";
import { cordonGpu, inventory as sendInventory } from "@drover/db/node/inventory";
import type { Answer } from "./docker/answer.ts";
import type { FoundGpu } from "./gpu/found.ts";
import { createGpuFinder } from "./gpu/inventory.ts";
import { parseSharing } from "./gpu/sharing.ts";
import { createGpuWatch, type GpuWatch } from "./gpu/watch.ts";
import { createInventory, type NodeInventory } from "./inventory.ts";
import type { metrics as declarations } from "./metric.ts";
import { listModelFiles } from "./model-file.ts";
import type { settings } from "./setting.ts";

type Values = Pick<ConfigResult<typeof settings>["values"], "gpuSharing" | "modelDirs" | "nvidiaSmi" | "rocmSmi">;

export interface PossessionOptions {
  values: Values;
  /** Undefined: this node has no engine. */
  listImages: (() => Promise<Answer<string[]>>) | undefined;
  db: Executor;
  /** The life of this node that speaks; asked for only once it is registered. */
  life: () => { holderId: number; epoch: string };
  metrics: Metrics<typeof declarations>;
  /** GPUs came, went or changed. */
  onGpus: (gpus: readonly FoundGpu[]) => Promise<void>;
  log: Log;
}

/** What this host has, told to the control plane, and the watch over those who hold its GPUs. */
export async function createPossessions({
  values,
  listImages,
  db,
  life,
  metrics: { handles },
  onGpus,
  log,
}: PossessionOptions): Promise<{ inventory: NodeInventory; watch: GpuWatch }> {
  const watch = createGpuWatch({
    look: () => inventory.look(),
    cordon: (gpu) => cordonGpu(db, life(), gpu),
    log,
  });
  watch.subscribe(({ action }) => handles.gpuFaults.inc({ action }));
  const measure = (gpus: readonly FoundGpu[]) => {
    const usable = gpus.filter(({ isUsable }) => isUsable);
    handles.gpus.set({ state: "usable" }, usable.length);
    handles.gpus.set({ state: "unusable" }, gpus.length - usable.length);
    handles.gpuUse.reset();
    // Slices have no use of their own, and the number of their GPU.
    for (const { kind, vendor, index, utilizationPercent } of gpus) {
      if (kind !== "mig" && utilizationPercent !== undefined)
        handles.gpuUse.set({ vendor, number: String(index) }, utilizationPercent / 100);
    }
  };
  const inventory: NodeInventory = await createInventory({
    findGpus: createGpuFinder({
      sharing: parseSharing(values.gpuSharing ?? ""),
      ...(values.nvidiaSmi !== undefined && { nvidiaSmi: values.nvidiaSmi }),
      ...(values.rocmSmi !== undefined && { rocmSmi: values.rocmSmi }),
    }),
    ...(listImages && { listImages }),
    listModels: () => listModelFiles({ folders: values.modelDirs ?? [] }),
    send: (found) => sendInventory(db, life(), found),
    onLook: (gpus, lost) => {
      measure(gpus);
      return watch.tell(lost);
    },
    onGpus,
    log,
  });
  measure(inventory.gpus);
  return { inventory, watch };
}
