import type { MessageInitShape } from "@bufbuild/protobuf";
import { classCapacity } from "@drover/db/query/capacity";
import { listNodes } from "@drover/db/query/node";
import { listNodeGpus, type NodeGpuRow } from "@drover/db/query/node-gpu";
import type { ResourceAvailabilityResponseSchema } from "@drover/proto/env_manager/env_manager";
import type { Caller, Deps } from "../../operation/context.ts";

/** What the whole fleet has for a class, and how much of it is taken; hardware is that of all nodes that answer. */
export async function resourceAvailability(
  { db, directory }: Deps,
  caller: Caller,
  workloadClass: string,
): Promise<MessageInitShape<typeof ResourceAvailabilityResponseSchema>> {
  const namespaceId = await directory.namespaceId(caller.namespace);
  const name = workloadClass.trim() || "cpu_short";
  // Refuses a class that is not there.
  await directory.class(namespaceId, name);
  const [found, nodes, gpus] = await Promise.all([
    classCapacity(db, namespaceId, name),
    listNodes(db),
    listNodeGpus(db),
  ]);
  const live = new Set(nodes.filter(({ state }) => state !== "lost").map((node) => node.name));
  const { capacity, in_use: inUse, cpu_cores: cpuCores, memory_bytes: memoryBytes, is_paused: isPaused } = found;
  return {
    available: capacity > inUse && !isPaused,
    capacity,
    inUse,
    hardware: {
      cpuCores,
      memoryBytes: BigInt(memoryBytes),
      gpus: gpus
        .filter(({ node, state }) => live.has(node) && state !== "gone")
        .map((gpu, index) => ({
          index,
          name: gpuName(gpu),
          memoryBytes: BigInt(gpu.memory_mib) * 1_048_576n,
          utilizationPercent: gpu.utilization_percent ?? 0,
        })),
    },
  };
}

function gpuName({ model, profile }: NodeGpuRow): string {
  return profile === null ? model : `${model} MIG ${profile}`;
}
