import { label } from "../docker/label.ts";
import type { FoundGpu, Vendor } from "./found.ts";

/** What a task or replica was given: a GPU, a slice, or a place on a GPU that several share. */
export interface AllocatedGpu {
  uuid: string;
  vendor: Vendor;
  /** Of a shared GPU: what was set aside of its memory. */
  memoryMib?: number;
  deviceNodes?: FoundGpu["deviceNodes"];
  deviceGroups?: FoundGpu["deviceGroups"];
}

export interface GpuRequestOptions {
  gpus: readonly AllocatedGpu[];
  /** Names the device nodes as well, so that a reload of systemd leaves them to the container. */
  hasExplicitNodes?: boolean;
}

/** The parts of a container's description that give it GPUs, in the shape of Docker's API. */
export interface GpuRequestParts {
  hostConfig: {
    DeviceRequests?: { Driver: string; DeviceIDs: string[]; Capabilities: string[][] }[];
    Devices?: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[];
    GroupAdd?: string[];
  };
  env: Record<string, string>;
  labels: Record<string, string>;
}

/** Describes what a container needs for exactly these GPUs, and nothing for the others of the host. */
export function gpuRequest({ gpus, hasExplicitNodes = true }: GpuRequestOptions): GpuRequestParts {
  const nvidia = uuidsOf(gpus, "nvidia");
  const isAmd = ({ vendor }: AllocatedGpu) => vendor === "amd";
  // The engine has no driver for AMD: their device nodes are all that a container gets of them.
  const withNodes = hasExplicitNodes ? gpus : gpus.filter(isAmd);
  const nodes = unique(withNodes.flatMap(({ deviceNodes = [] }) => deviceNodes));
  const groups = unique(gpus.filter(isAmd).flatMap(({ deviceGroups = [] }) => deviceGroups.map(String)));
  return {
    hostConfig: {
      ...(nvidia.length > 0 && {
        DeviceRequests: [{ Driver: "nvidia", DeviceIDs: nvidia, Capabilities: [["gpu"]] }],
      }),
      ...(nodes.length > 0 && {
        Devices: nodes.map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: "rwm" })),
      }),
      ...(groups.length > 0 && { GroupAdd: groups }),
    },
    env: {
      // Images of CUDA ask for "all", which counts wherever NVIDIA's runtime is the engine's default.
      NVIDIA_VISIBLE_DEVICES: nvidia.length > 0 ? nvidia.join(",") : "void",
      ...amdEnvironment(gpus),
      ...memoryEnvironment(gpus),
    },
    labels: gpus.length > 0 ? { [label.gpus]: gpus.map(({ uuid }) => uuid).join(",") } : {},
  };
}

/** The UUIDs in a container's label, one for each place that it holds. */
export function readGpuLabel(labels: Readonly<Record<string, string>>): string[] {
  return (labels[label.gpus] ?? "").split(",").filter((uuid) => uuid !== "");
}

/** The variables by which a process of the host sees exactly these GPUs; without any it sees none. */
export function gpuEnvironment(gpus: readonly AllocatedGpu[]): Record<string, string> {
  return {
    CUDA_VISIBLE_DEVICES: uuidsOf(gpus, "nvidia").join(","),
    ROCR_VISIBLE_DEVICES: "",
    ...amdEnvironment(gpus),
    ...memoryEnvironment(gpus),
  };
}

// A UUID that we made up ourselves means nothing to the runtime, and the index in the container is another one.
function amdEnvironment(gpus: readonly AllocatedGpu[]): Record<string, string> {
  const uuids = uuidsOf(gpus, "amd");
  const isNamed = uuids.length > 0 && uuids.every((uuid) => /^GPU-[0-9a-f]{16}$/.test(uuid));
  return isNamed ? { ROCR_VISIBLE_DEVICES: uuids.join(",") } : {};
}

// Nobody enforces the share: the program has to keep to it. Of several GPUs the smallest share is told.
function memoryEnvironment(gpus: readonly AllocatedGpu[]): Record<string, string> {
  const shares = new Map<string, number>();
  for (const { uuid, memoryMib } of gpus) {
    if (memoryMib !== undefined) shares.set(uuid, (shares.get(uuid) ?? 0) + memoryMib);
  }
  return shares.size === 0 ? {} : { DROVER_GPU_MEMORY_MIB: String(Math.min(...shares.values())) };
}

function uuidsOf(gpus: readonly AllocatedGpu[], wanted: Vendor): string[] {
  return unique(gpus.filter(({ vendor }) => vendor === wanted).map(({ uuid }) => uuid));
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
