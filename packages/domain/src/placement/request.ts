import type { Constraints, GpuRequest, Port } from "../environment/declaration.ts";

/** What a task or a replica asks of the node that will run it. */
export interface PlacementRequest {
  /** For messages and for spreading: those of one kind avoid each other. */
  kind: string;
  /** For messages: who has what it is given. */
  name?: string;
  executor: "docker" | "process";
  /** Of tasks: its class, which the node must serve and have a free slot for. */
  class?: string;
  cpuMillicores: number;
  memoryBytes: number;
  gpus?: GpuRequest;
  constraints: Constraints;
  image?: string;
  ports: readonly Port[];
}

/** Why a node cannot run it; machine-readable, with a sentence for people. */
export interface Rejection {
  node: string;
  code: RejectionCode;
  message: string;
}

export const rejectionCodes = [
  "node_lost",
  "node_draining",
  "node_cordoned",
  "other_node",
  "label_missing",
  "label_unwanted",
  "taint",
  "executor_missing",
  "class_not_served",
  "no_free_slot",
  "cpu",
  "memory",
  "gpu_missing",
  "gpu_model",
  "gpu_class",
  "gpu_memory",
  "gpu_profile",
  "gpu_taken",
  "gpu_cordoned",
  "host_port",
  "other_environment_node",
] as const;
export type RejectionCode = (typeof rejectionCodes)[number];

/** A node, and which slots of its GPUs. */
export interface Placement {
  nodeId: number;
  gpus: GpuSlot[];
}

/** No node has room; why is worked out only for those who ask. */
export interface NoPlacement {
  rejections(): Rejection[];
}

export interface GpuSlot {
  gpuId: number;
  uuid: string;
  slot: number;
  /** Of a shared GPU: what is set aside of its memory. */
  memoryMib?: number;
}
