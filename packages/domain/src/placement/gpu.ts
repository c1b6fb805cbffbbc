import type { GpuRequest } from "../environment/declaration.ts";
import type { PlacementGpu, PlacementNode } from "./node.ts";
import { mibText } from "./quantity.ts";
import type { GpuSlot, RejectionCode } from "./request.ts";

/** What a GPU must be to serve a request, now or later; `phrase` ends "GPUs ..." in messages. */
export interface GpuCondition {
  code: RejectionCode;
  phrase: string;
  keeps(gpu: PlacementGpu, node: Pick<PlacementNode, "labels">): boolean;
}

/** The conditions of a request that do not change while things are placed. */
export function gpuConditions(request: GpuRequest): GpuCondition[] {
  const { share, model, class: gpuClass, profile, memoryMib } = request;
  const conditions: GpuCondition[] = [
    {
      code: "gpu_missing",
      phrase: "",
      keeps: (gpu) => gpu.kind === share || (share === "whole" && gpu.kind !== "mig"),
    },
  ];
  if (model !== undefined) {
    const isModel = textTest(model);
    conditions.push({ code: "gpu_model", phrase: `of model ${model}`, keeps: (gpu) => isModel(gpu.model) });
  }
  if (gpuClass !== undefined) {
    const isModel = textTest(gpuClass);
    const keeps = (gpu: PlacementGpu, { labels }: Pick<PlacementNode, "labels">) =>
      labels["gpu-class"] === undefined ? isModel(gpu.model) : sameText(labels["gpu-class"], gpuClass);
    conditions.push({ code: "gpu_class", phrase: `of class ${gpuClass}`, keeps });
  }
  if (profile !== undefined) {
    const keeps = (gpu: PlacementGpu) => gpu.profile !== undefined && sameText(gpu.profile, profile);
    conditions.push({ code: "gpu_profile", phrase: `of profile ${profile}`, keeps });
  }
  if (memoryMib !== undefined) {
    const phrase = `with at least ${mibText(memoryMib)} of memory`;
    conditions.push({ code: "gpu_memory", phrase, keeps: (gpu) => gpu.memoryMib >= memoryMib });
  }
  conditions.push({ code: "gpu_cordoned", phrase: "that can be used", keeps: (gpu) => gpu.isUsable });
  return conditions;
}

/** The GPUs of a node that satisfy all conditions, free or not. */
export function matchingGpus(node: PlacementNode, conditions: readonly GpuCondition[]): readonly PlacementGpu[] {
  const keeps = (gpu: PlacementGpu) => conditions.every((condition) => condition.keeps(gpu, node));
  return node.gpus.every(keeps) ? node.gpus : node.gpus.filter(keeps); // no copy, as most nodes have GPUs of one model
}

/** Whether a GPU that satisfies the conditions has room left now. */
export function hasGpuRoom(gpu: PlacementGpu, request: GpuRequest): boolean {
  if (request.share !== "shared") return gpu.takenSlots.length === 0 && gpu.takenMib === 0 && gpu.slotCount > 0;
  return gpu.memoryMib - gpu.takenMib >= (request.memoryMib ?? 0) && freeSlot(gpu) !== undefined;
}

/** How often such a GPU could be given away: what decides which node counts as full. */
export function freePlaces(gpu: PlacementGpu, request: GpuRequest): number {
  if (!hasGpuRoom(gpu, request)) return 0;
  return request.share === "shared" ? gpu.slotCount - gpu.takenSlots.length : 1;
}

/**
 * Slots for a request out of GPUs that satisfy its conditions, each on a GPU of its own, best fit first; undefined
 * where there are too few. A time-sliced GPU that serves as a whole one is taken with all its slots.
 */
export function chooseGpus(matching: readonly PlacementGpu[], request: GpuRequest): GpuSlot[] | undefined {
  const free = matching.filter((gpu) => hasGpuRoom(gpu, request));
  if (free.length < request.count) return undefined;
  const chosen = free.toSorted(request.share === "shared" ? byLeastLeft : bySmallest).slice(0, request.count);
  return chosen.flatMap((gpu) => slotsOf(gpu, request));
}

/** Equal requests leave equal amounts behind, so what is free now orders as what would be left over. */
function byLeastLeft(a: PlacementGpu, b: PlacementGpu): number {
  const left = a.memoryMib - a.takenMib - (b.memoryMib - b.takenMib);
  return left || b.takenSlots.length - a.takenSlots.length || a.id - b.id;
}

/** GPUs that nobody can share first, so that slots stay together for those who share. */
function bySmallest(a: PlacementGpu, b: PlacementGpu): number {
  return Number(a.kind === "shared") - Number(b.kind === "shared") || a.memoryMib - b.memoryMib || a.id - b.id;
}

function slotsOf(gpu: PlacementGpu, request: GpuRequest): GpuSlot[] {
  const { id: gpuId, uuid } = gpu;
  if (request.share !== "shared") return Array.from({ length: gpu.slotCount }, (_, slot) => ({ gpuId, uuid, slot }));
  const slot = freeSlot(gpu);
  if (slot === undefined) return [];
  return [{ gpuId, uuid, slot, ...(request.memoryMib !== undefined && { memoryMib: request.memoryMib }) }];
}

/** Taken slots may lie beyond the count, where an operator has made fewer of them since. */
function freeSlot(gpu: PlacementGpu): number | undefined {
  for (let slot = 0; slot < gpu.slotCount; slot++) if (!gpu.takenSlots.includes(slot)) return slot;
  return undefined;
}

/** Whether a text is part of others, without regard to case; there are few models and many GPUs. */
function textTest(part: string): (text: string) => boolean {
  const wanted = part.toLowerCase();
  const known = new Map<string, boolean>();
  return (text) => {
    let isPart = known.get(text);
    if (isPart === undefined) known.set(text, (isPart = text.toLowerCase().includes(wanted)));
    return isPart;
  };
}

function sameText(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}
