import type { Constraints, GpuRequest } from "./environment/declaration.ts";
import type { Execution, ExecutorName, Resources } from "./execution.ts";
import type { PlacementRequest } from "./placement/request.ts";

/** The type of the queue that a task waits in: its handler's or provider's, or whether it has to be placed. */
export function queueTypeOf(executor: ExecutorName, type: string, execution: Execution | undefined): string {
  if (executor === "worker" || executor === "llm") return type;
  return execution !== undefined && mustBePlaced(execution) ? placedType : "";
}

/** Whether the tasks of a queue are placed before they are claimed; handlers may be called so too. */
export function isPlacedQueue(executor: ExecutorName, type: string): boolean {
  return type === placedType && (executor === "docker" || executor === "process");
}

/** Whether a node has to be chosen for it: it asks for GPUs, for certain nodes, or to start with others. */
export function mustBePlaced({ resources, placement, gang }: Execution): boolean {
  return (resources?.gpuCount ?? 0) > 0 || gang !== undefined || isConstraint(placement);
}

/** What placement reads of an execution. */
export type PlacedExecution = Pick<Execution, "image" | "resources" | "placement" | "gang">;

/** What a task asks of the node that will run it. */
export function taskRequest(
  execution: PlacedExecution,
  { executor, className }: { executor: "docker" | "process"; className: string },
): PlacementRequest {
  const { image, resources = {}, placement } = execution;
  const gpus = gpuRequestOf(resources);
  return {
    kind: taskKind(execution, className),
    executor,
    class: className,
    cpuMillicores: resources.cpuMillicores ?? 0,
    memoryBytes: resources.memoryBytes ?? 0,
    ...(gpus !== undefined && { gpus }),
    constraints: { ...noConstraints, ...placement },
    ...(image !== undefined && { image }),
    ports: [],
  };
}

/** Tasks that are spread apart: the members of a gang, or those of one class and image. */
export function taskKind({ gang, image = "" }: Pick<Execution, "gang" | "image">, className: string): string {
  return gang === undefined ? `task ${className} ${image}` : `gang ${gang.name}`;
}

/** Of the queues of tasks that are placed on a node before they can be claimed. */
const placedType = "placed";

const noConstraints: Constraints = { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [] };

function isConstraint(placement: Partial<Constraints> | undefined): boolean {
  if (placement === undefined) return false;
  const { node, labels = {}, notLabels = {}, tolerates = [], strategy = "binpack", models = [] } = placement;
  return (
    node !== undefined ||
    Object.keys(labels).length > 0 ||
    Object.keys(notLabels).length > 0 ||
    tolerates.length > 0 ||
    strategy === "spread" ||
    models.length > 0
  );
}

function gpuRequestOf(resources: Resources): GpuRequest | undefined {
  const { gpuCount: count = 0, gpuShare: share = "whole", gpuModel, gpuClass, gpuProfile, gpuMemoryMib } = resources;
  if (count === 0) return undefined;
  // An "80 GB" GPU tells of 81,559 MiB: the number on the box counts billions of bytes.
  const memoryMib =
    gpuMemoryMib ?? (resources.gpuMemoryGb && Math.floor((resources.gpuMemoryGb * 1_000_000_000) / 2 ** 20));
  return {
    count,
    share,
    ...(gpuModel !== undefined && { model: gpuModel }),
    ...(gpuClass !== undefined && { class: gpuClass }),
    ...(gpuProfile !== undefined && { profile: gpuProfile }),
    ...(memoryMib !== undefined && { memoryMib }),
  };
}
