import type { FoundGpu, GpuInventory } from "./found.ts";

/** What became of a GPU between two looks. */
export interface GpuChange {
  /** lost: gone or in error, for sure. unknown: its program did not answer. */
  change: "found" | "lost" | "unknown" | "recovered" | "changed";
  uuid: string;
  evidence: string;
  /** For the log: `lost: GPU-… (NVIDIA A100, 1) because …` */
  message: string;
}

/** Says what became of the GPUs known before. A GPU that could not be used before is not told as lost again. */
export function compareInventory(before: readonly FoundGpu[], now: GpuInventory): GpuChange[] {
  const earlier = new Map(before.map((gpu) => [gpu.uuid, gpu]));
  const changes: GpuChange[] = [];
  for (const gpu of knownGpus(before, now)) {
    const old = earlier.get(gpu.uuid);
    if (old === undefined) {
      changes.push(changeOf("found", gpu, gpu.evidence ?? "its program lists it now."));
      if (!gpu.isUsable) changes.push(changeOf("lost", gpu, gpu.evidence ?? ""));
    } else if (old.isUsable && !gpu.isUsable) {
      changes.push(changeOf(isUnknown(gpu, now) ? "unknown" : "lost", gpu, gpu.evidence ?? ""));
    } else if (!old.isUsable && gpu.isUsable) {
      changes.push(changeOf("recovered", gpu, `what was said of it no longer holds: ${old.evidence ?? ""}`));
    } else {
      const differences = comparedFields.filter((field) => old[field] !== gpu[field]);
      const told = differences.map((field) => `${field} was ${old[field]} and is ${gpu[field]}`);
      if (told.length > 0) changes.push(changeOf("changed", gpu, `${told.join(", ")}.`));
    }
  }
  return changes;
}

/** The GPUs to report and to compare with next time: those found, and those known before, which now cannot be used. */
export function knownGpus(before: readonly FoundGpu[], now: GpuInventory): FoundGpu[] {
  const absent = before.filter(({ uuid }) => !now.gpus.some((gpu) => gpu.uuid === uuid));
  return [...now.gpus, ...absent.map((gpu) => ({ ...gpu, isUsable: false, evidence: whyAbsent(gpu, now) }))];
}

/** Of the GPUs to report, those that are lost for sure: their program said so, or listed the others without them. */
export function lostGpus(known: readonly FoundGpu[], now: GpuInventory): { uuid: string; evidence: string }[] {
  return known
    .filter((gpu) => !gpu.isUsable && !isUnknown(gpu, now))
    .map(({ uuid, evidence = "Its program says no more." }) => ({ uuid, evidence }));
}

const comparedFields = ["kind", "model", "memoryMib", "driver", "profile", "slotCount"] as const;

// The program of its vendor did not answer, and nothing else tells of it.
function isUnknown(gpu: FoundGpu, now: GpuInventory): boolean {
  const isListed = now.gpus.some(({ uuid }) => uuid === gpu.uuid);
  return !isListed && now.unlisted.includes(gpu.vendor) && !troubleOf(gpu, now);
}

function whyAbsent(gpu: FoundGpu, now: GpuInventory): string {
  const trouble = troubleOf(gpu, now);
  if (trouble) return trouble.evidence;
  if (now.gpus.some(({ parentUuid }) => parentUuid === gpu.uuid))
    return "MIG was turned on: it is given away in slices.";
  if (now.gpus.some(({ uuid }) => uuid === gpu.parentUuid)) return "MIG was turned off: its GPU is whole again.";
  if (now.gpus.some(({ parentUuid }) => parentUuid !== undefined && parentUuid === gpu.parentUuid))
    return "The slices of its GPU were made anew.";
  const program = gpu.vendor === "nvidia" ? "nvidia-smi" : "rocm-smi";
  if (now.unlisted.includes(gpu.vendor)) return now.problem ?? `${program} gave no list.`;
  // A driver may say that a GPU is out of reach without saying which.
  const nameless = gpu.vendor === "nvidia" && now.troubles.find(({ uuid, busId }) => !uuid && !busId);
  return nameless ? nameless.evidence : `${program} no longer lists it.${now.problem ? ` ${now.problem}` : ""}`;
}

function troubleOf(gpu: FoundGpu, now: GpuInventory) {
  return now.troubles.find(
    ({ uuid, busId }) =>
      (uuid !== undefined && (uuid === gpu.uuid || uuid === gpu.parentUuid)) ||
      (uuid === undefined && busId !== undefined && busId === gpu.busId),
  );
}

function changeOf(change: GpuChange["change"], gpu: FoundGpu, evidence: string): GpuChange {
  return {
    change,
    uuid: gpu.uuid,
    evidence,
    message: `${change}: ${gpu.uuid} (${gpu.model}, ${gpu.index}) because ${evidence}`,
  };
}
