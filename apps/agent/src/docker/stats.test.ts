import type Docker from "dockerode";
import { expect, it } from "vitest";
import { usageOf } from "./stats.ts";

const sample = (parts: object): Docker.ContainerStats =>
  ({ cpu_stats: {}, precpu_stats: {}, memory_stats: {}, ...parts }) as unknown as Docker.ContainerStats;

it("is of one core, without what the kernel caches, over all networks", () => {
  const usage = usageOf(
    sample({
      cpu_stats: { cpu_usage: { total_usage: 3_000 }, system_cpu_usage: 20_000, online_cpus: 4 },
      precpu_stats: { cpu_usage: { total_usage: 1_000 }, system_cpu_usage: 16_000 },
      memory_stats: { usage: 1000, stats: { inactive_file: 300 } },
      networks: { eth0: { rx_bytes: 5, tx_bytes: 7 }, eth1: { rx_bytes: 1, tx_bytes: 2 } },
    }),
  );
  expect(usage).toEqual({ cpuPercent: 200, memoryBytes: 700, networkRxBytes: 6, networkTxBytes: 9 });
});

it("is nothing of a container without figures", () => {
  expect(usageOf(sample({}))).toEqual({ cpuPercent: 0, memoryBytes: 0, networkRxBytes: 0, networkTxBytes: 0 });
});
