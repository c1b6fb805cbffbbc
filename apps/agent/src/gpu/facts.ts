import type { GpuInventory } from "./found.ts";

/** The facts of a node that tell of its GPUs. */
export function gpuFacts({ gpus, problem }: Pick<GpuInventory, "gpus" | "problem">): Record<string, string> {
  const usable = gpus.filter(({ isUsable }) => isUsable);
  const faulty = gpus.filter(({ isUsable }) => !isUsable);
  return {
    gpu_count: String(usable.length),
    ...(usable.length > 0 && {
      gpu_names: unique(usable.map(({ model }) => model)),
      gpu_memory_mib: usable.map(({ memoryMib }) => memoryMib).join(","),
      gpu_uuids: usable.map(({ uuid }) => uuid).join(","),
      gpu_driver: unique(usable.map(({ driver }) => driver)),
      gpu_slots: String(usable.reduce((sum, { slotCount }) => sum + slotCount, 0)),
    }),
    ...(usable.some(({ profile }) => profile !== undefined) && {
      gpu_profiles: usable.map(({ profile }) => profile ?? "whole").join(","),
    }),
    ...(faulty.length > 0 && { gpu_faulty: faulty.map(({ uuid, evidence }) => `${uuid}: ${evidence}`).join("; ") }),
    ...(problem !== undefined && { gpu_missing: problem }),
  };
}

function unique(texts: readonly string[]): string {
  return [...new Set(texts)].filter((text) => text !== "").join(", ");
}
