import { readGpuLabel } from "../gpu/device-request.ts";
import type { RunRequest } from "./executor.ts";

/** Says where a container holds other GPUs than the database set aside for its task. */
export function gpuMismatch(request: RunRequest, labels: Readonly<Record<string, string>>): string | undefined {
  const allocated = (request.gpus ?? []).map(({ uuid }) => uuid).toSorted();
  const found = readGpuLabel(labels).toSorted();
  if (allocated.join() === found.join()) return undefined;
  const tell = (uuids: string[]) => (uuids.length > 0 ? uuids.join(", ") : "none");
  return `The agent was started anew and found the container with other GPUs than are set aside for its task: expected ${tell(allocated)}, got ${tell(found)}. It was removed, and the task starts anew.`;
}
