/** What placement knows of a node: declared by its operator, found by its agent, and what is taken already. */
export interface PlacementNode {
  id: number;
  name: string;
  state: "ready" | "draining" | "lost";
  isCordoned: boolean;
  labels: Readonly<Record<string, string>>;
  taints: readonly string[];
  /** Executors that are ready. */
  executors: readonly string[];
  /** Free slots by class, for tasks; absent classes are not served. */
  slots: Readonly<Record<string, number>>;
  /** Capacity and what replicas and placed tasks have been promised of it. */
  cpuMillicores: number;
  cpuUsed: number;
  memoryBytes: number;
  memoryUsed: number;
  gpus: readonly PlacementGpu[];
  /** References of images that lie on the node. */
  images: ReadonlySet<string>;
  models: ReadonlySet<string>;
  /** `ip:port/protocol` that replicas have taken, with whose they are; empty: not known. */
  hostPorts: ReadonlyMap<string, string>;
  /** How many of each kind run there, so that those of one kind can be spread; absent: none. */
  kinds?: ReadonlyMap<string, number>;
}

/** A GPU, or a slice of one, as something that can be given away. */
export interface PlacementGpu {
  id: number;
  uuid: string;
  /** whole: one slot. mig: a slice, one slot. shared: as many slots as the operator made of it. */
  kind: "whole" | "mig" | "shared";
  model: string;
  memoryMib: number;
  /** Of MIG slices. */
  profile?: string;
  slotCount: number;
  takenSlots: readonly number[];
  /** Set aside by those who share it. */
  takenMib: number;
  isUsable: boolean;
  /** Why not, where it is not. */
  evidence?: string;
}
