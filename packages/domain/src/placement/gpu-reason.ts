import type { GpuRequest } from "../environment/declaration.ts";
import type { GpuCondition } from "./gpu.ts";
import { gpuConditions, hasGpuRoom, matchingGpus } from "./gpu.ts";
import type { PlacementGpu, PlacementNode } from "./node.ts";
import { askedFor, countOf, listOf, mibText } from "./quantity.ts";
import type { Reason } from "./reason.ts";
import { reason } from "./reason.ts";

/** Why a node's GPUs can never serve a request, however much is given back; the first condition that leaves too few. */
export function lastingGpuReason(node: PlacementNode, request: GpuRequest): Reason | undefined {
  let left = node.gpus;
  const phrases: string[] = [];
  for (const condition of gpuConditions(request)) {
    const kept = left.filter((gpu) => condition.keeps(gpu, node));
    phrases.push(condition.phrase);
    if (kept.length < request.count) {
      const lost = left.filter((gpu) => !kept.includes(gpu));
      return reason(condition.code, () => tell(node, request, phrases, kept.length) + detail(condition, node, lost));
    }
    left = kept;
  }
  return undefined;
}

/** Why GPUs that could serve a request cannot now. */
export function takenGpuReason(node: PlacementNode, request: GpuRequest): Reason | undefined {
  const conditions = gpuConditions(request);
  const free = matchingGpus(node, conditions).filter((gpu) => hasGpuRoom(gpu, request));
  if (free.length >= request.count) return undefined;
  const phrases = conditions.flatMap(({ code, phrase }) => (code === "gpu_cordoned" ? [] : [phrase]));
  const isMemory = request.share === "shared" && request.memoryMib !== undefined;
  const last = isMemory ? "and a slot free" : request.share === "shared" ? "with a slot free" : "free";
  return reason("gpu_taken", () => tell(node, request, [...phrases, last], free.length));
}

/** `Node gpu-03 has 2 GPUs of model H100 free, 4 are asked for.` */
function tell(node: PlacementNode, request: GpuRequest, phrases: readonly string[], count: number): string {
  const things = [countOf(count, nouns[request.share]), ...phrases.filter((phrase) => phrase !== "")].join(" ");
  return `Node ${node.name} has ${things}, ${askedFor(request.count)}.`;
}

/** What the GPUs are that a condition ruled out. */
function detail({ code }: GpuCondition, { labels }: PlacementNode, lost: readonly PlacementGpu[]): string {
  const distinct = (values: string[]) => listOf([...new Set(values)].toSorted());
  switch (code) {
    case "gpu_model":
      return ` It has ${distinct(lost.map((gpu) => gpu.model))}.`;
    case "gpu_class":
      return labels["gpu-class"] === undefined
        ? ` It has no label gpu-class, and the model is ${distinct(lost.map((gpu) => gpu.model))}.`
        : ` Its label gpu-class is ${labels["gpu-class"]}.`;
    case "gpu_profile":
      return ` Its profiles are ${distinct(lost.map((gpu) => gpu.profile ?? "unknown"))}.`;
    case "gpu_memory":
      return ` Others have ${mibText(Math.max(...lost.map((gpu) => gpu.memoryMib)))} at most.`;
    case "gpu_cordoned":
      return ` Cordoned: ${listOf(lost.map((gpu) => gpu.uuid + (gpu.evidence ? ` (${gpu.evidence})` : "")))}.`;
    default:
      return lost.length === 0 ? "" : ` It has ${distinct(lost.map((gpu) => `${nouns[gpu.kind]}s`))} instead.`;
  }
}

const nouns = { whole: "GPU", mig: "MIG slice", shared: "shared GPU" } as const;
