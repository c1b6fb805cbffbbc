export type Vendor = "nvidia" | "amd";

/** A GPU of this host, or a slice of one, as it can be given away. */
export interface FoundGpu {
  /** `GPU-…`, or `MIG-…` of a slice. It names the GPU everywhere: the index changes with a reboot. */
  uuid: string;
  /** whole: one user. mig: a slice, one user. shared: as many at once as the operator allows. */
  kind: "whole" | "mig" | "shared";
  vendor: Vendor;
  /** In the list of its program, for people. Slices have that of their GPU. */
  index: number;
  model: string;
  /** 0 where the driver does not tell. */
  memoryMib: number;
  driver: string;
  /** Of MIG slices: `1g.10gb`. */
  profile?: string;
  parentUuid?: string;
  slotCount: number;
  utilizationPercent?: number;
  usedMib?: number;
  temperatureCelsius?: number;
  isUsable: boolean;
  /** Why not, in words of the driver where it has some. */
  evidence?: string;
  /** `0000:83:00.0` */
  busId?: string;
  /** What a container needs of /dev; empty where this could not be found out. */
  deviceNodes: readonly string[];
  /** Groups that own those nodes, where they are not open to all. */
  deviceGroups: readonly number[];
}

/** A GPU that is no longer, or not yet, one that can be given away. */
export interface GpuTrouble {
  uuid?: string;
  busId?: string;
  evidence: string;
}

/** What one look at the programs of the vendors gave. */
export interface GpuInventory {
  gpus: readonly FoundGpu[];
  /** Says what went wrong, as sentences; GPUs may have been found all the same. */
  problem?: string;
  /** Vendors whose program gave no list: nothing is known of their GPUs, least of all that they are gone. */
  unlisted: readonly Vendor[];
  troubles: readonly GpuTrouble[];
}

/** What the reader of one vendor found: `isListed` is false where the list could not be had. */
export interface VendorAnswer {
  gpus: FoundGpu[];
  isListed: boolean;
  problems: string[];
  troubles: GpuTrouble[];
}

/** One spelling for the three in use: `00000000:83:00.0`, `0000:83:00.0` and, in Xid lines, `0000:83:00`. */
export function canonicalBusId(text: string): string {
  const [, domain = "", rest = "", part = "0"] =
    /^([0-9a-f]+):([0-9a-f]{2}:[0-9a-f]{2})(?:\.([0-9a-f]))?$/i.exec(text.trim()) ?? [];
  return rest === "" ? text.trim().toLowerCase() : `${domain.slice(-4).padStart(4, "0")}:${rest}.${part}`.toLowerCase();
}
