import type { Constraints, DisconnectPolicy } from "./environment/declaration.ts";

/** How a task is run. */
export type ExecutorName = "docker" | "process" | "llm" | "worker";

/** How to run a task in a container or a process, as stored with the task (JSON, camelCase). */
export interface Execution {
  /** Absent for a process, or where the class's default image was resolved at submit. */
  image?: string;
  /** At least one element. */
  command: string[];
  env?: Record<string, string>;
  mounts?: Mount[];
  resources?: Resources;
  workingDir?: string;
  artifacts?: { inputs?: string[]; outputs?: Output[] };
  readOnlyRoot?: boolean;
  /** Docker network; absent: none. */
  network?: string;
  tenant?: string;
  /** Which nodes may run it. */
  placement?: Partial<Constraints>;
  /** Tasks of one gang in a namespace start together, or not at all. */
  gang?: Gang;
  /** Absent: stop. */
  onDisconnect?: DisconnectPolicy;
}

export interface Gang {
  name: string;
  /** How many tasks belong to it. */
  size: number;
}

export interface Mount {
  hostPath: string;
  mountPath: string;
  readOnly?: boolean;
}

export interface Resources {
  cpuMillicores?: number;
  memoryBytes?: number;
  pids?: number;
  gpuCount?: number;
  /** Part of the model's name. */
  gpuModel?: string;
  gpuClass?: string;
  /** Absent: whole GPUs, which nobody else uses. */
  gpuShare?: "whole" | "mig" | "shared";
  /** Of MIG slices: `1g.10gb`. */
  gpuProfile?: string;
  /** At least so much for each; of a shared GPU, so much is set aside. */
  gpuMemoryMib?: number;
  /** The same in units of a billion bytes, as GPUs are sold. */
  gpuMemoryGb?: number;
  storageGb?: number;
}

/** A file that the task is expected to leave, relative to its working directory. */
export interface Output {
  path: string;
  type?: string;
  name?: string;
}
