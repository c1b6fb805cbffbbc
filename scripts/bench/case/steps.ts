import { type Bench, costPerJob } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { nowMs } from "../measure.ts";
import { type Program, startApi } from "../program.ts";

const limitMs = 240_000;

/** Runs of sequential steps that are queued when the workers start: from the first step's start until all runs are final. */
export async function steps(
  bench: Bench,
  { workers, runs, length }: { workers: number; runs: number; length: number },
): Promise<Figure> {
  const api = await startAdvancing(bench);
  try {
    // Nobody advances while the runs are queued.
    api?.pause();
    const producer = await bench.spawn("producer");
    await producer.call("startChains", { runs, steps: length });
    await producer.call("stop");
    await producer.end();
    await bench.settle();
    const roles = await Promise.all(Array.from({ length: workers }, () => bench.spawn("worker")));
    const cpu = async () =>
      (await Promise.all(roles.map((role) => role.call("state")))).reduce((sum, state) => sum + state.cpuMicros, 0) +
      (api?.cpuMicros() ?? 0);
    const idleCpu = await cpu();
    const before = await bench.counters();
    const goAt = nowMs();
    api?.resume();
    await Promise.all(roles.map((role) => role.call("start")));
    const emptyAt = await bench.untilEmpty(limitMs, 15);
    const after = await bench.counters();
    const states = await Promise.all(roles.map((role) => role.call("state")));
    const count = runs * length;
    const clientCpu = (await cpu()) - idleCpu;
    const handled = states.reduce((sum, state) => sum + state.count, 0);
    if (handled !== count) throw new Error(`${bench.contestant}: ${count} steps, but ${handled} handler calls`);
    const firstAt = Math.min(...states.filter((state) => state.count > 0).map((state) => state.firstAt));
    await Promise.all(roles.map((role) => role.call("stop")));
    return {
      metric: `steps of ${runs.toLocaleString("en")} runs of ${length}, ${workers} ${workers === 1 ? "worker" : "workers"}`,
      contestant: bench.contestant,
      value: (count / (emptyAt - firstAt)) * 1000,
      unit: "steps/s",
      cost: costPerJob(before, after, clientCpu, count),
      note: `first step ${Math.round(firstAt - goAt)} ms after the start`,
    };
  } finally {
    await api?.end();
  }
}

/** What advances runs beside the workers: Drover's API; a peer's workers do it themselves. */
export async function startAdvancing(bench: Bench): Promise<Program | undefined> {
  return bench.contestant === "drover" ? startApi(bench.url) : undefined;
}
