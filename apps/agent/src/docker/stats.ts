import type Docker from "dockerode";
import { type Answer, ask } from "./answer.ts";

/** What a container uses. */
export interface ContainerUsage {
  /** Of one core. */
  cpuPercent: number;
  /** Without what the kernel only caches of files. */
  memoryBytes: number;
  networkRxBytes: number;
  networkTxBytes: number;
}

/** Measures a container for about a second: the engine takes two samples, since one tells no use of the processor. */
export function readUsage(docker: Docker, id: string, timeoutMs = 10_000): Promise<Answer<ContainerUsage>> {
  return ask(timeoutMs, async (abortSignal) => {
    const options = { stream: false, abortSignal } as const;
    return usageOf(await docker.getContainer(id).stats(options));
  });
}

/** Reads the engine's two samples. */
export function usageOf(stats: Docker.ContainerStats): ContainerUsage {
  const { cpu_stats: now, precpu_stats: before, memory_stats: memory } = stats;
  const usedNs = (now.cpu_usage?.total_usage ?? 0) - (before.cpu_usage?.total_usage ?? 0);
  const passedNs = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  // The system's time counts every core.
  const cores = now.online_cpus || 1;
  const networks = Object.values(stats.networks ?? {});
  const cachedBytes = memory.stats?.inactive_file ?? memory.stats?.total_inactive_file ?? 0;
  return {
    cpuPercent: passedNs > 0 && usedNs > 0 ? (usedNs / passedNs) * cores * 100 : 0,
    memoryBytes: Math.max(0, (memory.usage ?? 0) - cachedBytes),
    networkRxBytes: networks.reduce((bytes, network) => bytes + network.rx_bytes, 0),
    networkTxBytes: networks.reduce((bytes, network) => bytes + network.tx_bytes, 0),
  };
}
