import { readFile, statfs } from "node:fs/promises";
import { arch, availableParallelism, cpus, hostname, release, totalmem, type } from "node:os";
import { dirname, resolve } from "node:path";
import { gpuFacts } from "./gpu/facts.ts";
import type { GpuInventory } from "./gpu/found.ts";
import { findGpus, type FindGpusOptions } from "./gpu/inventory.ts";

export interface FingerprintOptions extends FindGpusOptions {
  /** The GPUs, where somebody has looked already. */
  inventory?: GpuInventory;
  /** Folder of the attempts: its file system is the disk that is told of. */
  taskDir?: string;
  /** File that names the system. */
  osRelease?: string;
}

/** The facts of this host that placement and people ask for; each executor adds its own by its probe. */
export async function fingerprint(options: FingerprintOptions = {}): Promise<Record<string, string>> {
  const { inventory, taskDir = ".", osRelease = "/etc/os-release" } = options;
  const [gpus, disk, os] = await Promise.all([
    inventory ?? findGpus(options),
    diskFacts(taskDir),
    readFile(osRelease, "utf8").catch(() => ""),
  ]);
  const system = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(os)?.[1];
  const cpuModel = cpus()[0]?.model.trim();
  return {
    hostname: hostname(),
    arch: arch(),
    kernel: `${type()} ${release()}`,
    ...(system !== undefined && { os: system }),
    cpu_cores: String(availableParallelism()),
    ...(cpuModel && { cpu_model: cpuModel }),
    memory_bytes: String(totalmem()),
    ...disk,
    ...gpuFacts(gpus),
  };
}

/** Size and free bytes of the file system below a folder; of a folder yet to be made, where it will be. */
export async function diskFacts(folder: string): Promise<Record<string, string>> {
  const path = resolve(folder);
  const found = await statfs(path, { bigint: true }).catch(() => undefined);
  if (found === undefined) return path === "/" ? {} : diskFacts(dirname(path));
  return { disk_bytes: String(found.blocks * found.bsize), disk_free_bytes: String(found.bavail * found.bsize) };
}
