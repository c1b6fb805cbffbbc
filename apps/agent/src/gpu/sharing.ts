import { DroverError } from "@drover/domain/error";
import type { FoundGpu } from "./found.ts";

/** How many may use a GPU at once, by GPU. */
export interface SharingRule {
  pattern: string;
  slotCount: number;
}

/**
 * Reads how the operator lets GPUs be shared: the first rule that fits a GPU counts. A rule names GPUs by the beginning
 * of their UUID, by a part of their model with `*` for the rest, or all of them by `*`. Throws with every fault.
 *
 * @example GPU-5d5ba0d6=4,*L4*=2,*=1
 */
export function parseSharing(text: string): SharingRule[] {
  const rules: SharingRule[] = [];
  const faults: string[] = [];
  for (const item of text.split(",").map((part) => part.trim())) {
    if (item === "") continue;
    const at = item.lastIndexOf("=");
    const pattern = item.slice(0, Math.max(at, 0)).trim();
    const count = item.slice(at + 1).trim();
    const slotCount = Number(count);
    if (at < 1 || pattern === "") faults.push(`expected PATTERN=COUNT, got "${item}"`);
    else if (!/^\d+$/.test(count) || slotCount < 1 || slotCount > maxSlotCount)
      faults.push(`expected a whole number from 1 to ${maxSlotCount} after "${pattern}=", got "${count}"`);
    else if (/^MIG-/i.test(pattern)) faults.push(`expected a GPU, got "${pattern}": MIG slices are not shared`);
    else if (rules.some((rule) => rule.pattern === pattern)) faults.push(`expected "${pattern}" once, got it twice`);
    else if (rules.some((rule) => rule.pattern === "*"))
      faults.push(`expected "*" last, got "${pattern}" after it, which would never count`);
    else rules.push({ pattern, slotCount });
  }
  if (faults.length > 0) throw new DroverError("invalid", `GPU sharing: ${faults.join("; ")}.`);
  return rules;
}

// What NVIDIA's MPS allows of clients since Volta; time-slicing has no bound of its own.
const maxSlotCount = 48;

/** Applies the rules. Slices stay as they are: each has one user. */
export function share(gpu: FoundGpu, rules: readonly SharingRule[]): FoundGpu {
  if (gpu.kind === "mig") return gpu;
  const slotCount = rules.find(({ pattern }) => isMatch(pattern, gpu))?.slotCount ?? 1;
  return slotCount === 1 ? gpu : { ...gpu, kind: "shared", slotCount };
}

function isMatch(pattern: string, gpu: FoundGpu): boolean {
  const wanted = pattern.toLowerCase();
  if (wanted.startsWith("gpu-")) return gpu.uuid.toLowerCase().startsWith(wanted.replace(/\*$/, ""));
  const model = wanted.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${model.join(".*")}$`).test(gpu.model.toLowerCase());
}
