import type { FoundGpu } from "./found.ts";

const largestMib = 16 * 1024 * 1024;

/**
 * What the readers found, without what cannot be: a driver that is out of order may answer anything, and one odd number
 * must not keep the rest from being told. Of GPUs that are listed twice the first counts.
 */
export function plausibleGpus(found: readonly FoundGpu[]): { gpus: FoundGpu[]; problems: string[] } {
  const gpus = new Map<string, FoundGpu>();
  const problems: string[] = [];
  for (const gpu of found) {
    if (gpus.has(gpu.uuid)) problems.push(`${gpu.uuid} is listed twice.`);
    else gpus.set(gpu.uuid, plausible(gpu, gpus.size));
  }
  return { gpus: [...gpus.values()], problems };
}

function plausible(gpu: FoundGpu, position: number): FoundGpu {
  const { utilizationPercent, usedMib, temperatureCelsius, ...rest } = gpu;
  const within = (value: number | undefined, low: number, high: number): value is number =>
    value !== undefined && value >= low && value <= high;
  return {
    ...rest,
    index: Number.isInteger(gpu.index) && within(gpu.index, 0, 1000) ? gpu.index : position,
    memoryMib: within(gpu.memoryMib, 0, largestMib) ? Math.round(gpu.memoryMib) : 0,
    model: gpu.model.slice(0, 200),
    driver: gpu.driver.slice(0, 100),
    ...(within(utilizationPercent, 0, 100) && { utilizationPercent }),
    ...(within(usedMib, 0, largestMib) && { usedMib }),
    ...(within(temperatureCelsius, -100, 1000) && { temperatureCelsius }),
  };
}
