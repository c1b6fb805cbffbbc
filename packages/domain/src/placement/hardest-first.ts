import type { PlacementRequest } from "./request.ts";

/** Requests in the order in which to look for room, so that the easy ones do not take what only the hard ones need. */
export function hardestFirst(requests: readonly PlacementRequest[]): { request: PlacementRequest; index: number }[] {
  const entries = requests.map((request, index) => ({ request, index }));
  return entries.toSorted((a, b) => compare(hardness(b.request), hardness(a.request)));
}

function hardness({ gpus, constraints, cpuMillicores, memoryBytes }: PlacementRequest): number[] {
  const choosy = Object.keys(constraints.labels).length + Object.keys(constraints.notLabels).length;
  const gpuConditions = [gpus?.model, gpus?.class, gpus?.profile].filter((value) => value !== undefined).length;
  const node = constraints.node === undefined ? 0 : 1;
  return [node, gpuConditions, gpus?.memoryMib ?? 0, gpus?.count ?? 0, choosy, memoryBytes, cpuMillicores];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
