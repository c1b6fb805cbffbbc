import type { FoundGpu } from "./found.ts";

/** The classes of tasks that a node with GPUs serves without being told to. */
const gpuClasses = ["gpu", "gpu_slurm"] as const;

/** Adds a slot for each place on a usable GPU to the classes of GPUs, unless the operator named them. */
export function withGpuSlots(
  slots: Readonly<Record<string, number>>,
  gpus: readonly FoundGpu[],
): Record<string, number> {
  const places = gpus.reduce((sum, gpu) => sum + (gpu.isUsable ? gpu.slotCount : 0), 0);
  // Classes of GPUs that were lost stay, with none: what waits for them is told so.
  const found = gpus.length > 0 ? Object.fromEntries(gpuClasses.map((name) => [name, places])) : {};
  return { ...found, ...slots };
}
