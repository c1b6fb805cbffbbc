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
  gpuClass?: string;
  gpuMemoryGb?: number;
  storageGb?: number;
}

/** A file that the task is expected to leave, relative to its working directory. */
export interface Output {
  path: string;
  type?: string;
  name?: string;
}
