import { type Bench, costPerJob } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { nowMs } from "../measure.ts";

const limitMs = 240_000;

/** From the first handler's start until the store holds no job that is not durably completed. */
export async function drain(bench: Bench, { workers, jobs }: { workers: number; jobs: number }): Promise<Figure> {
  await fill(bench, jobs);
  const roles = await Promise.all(Array.from({ length: workers }, () => bench.spawn("worker")));
  const idleCpu = await cpuOf(roles);
  const before = await bench.counters();
  const goAt = nowMs();
  await Promise.all(roles.map((role) => role.call("start")));
  for (let handled = 0; handled < jobs && nowMs() - goAt < limitMs;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    handled = (await statesOf(roles)).reduce((sum, state) => sum + state.count, 0);
  }
  const emptyAt = await bench.untilEmpty(limitMs);
  const states = await statesOf(roles);
  const after = await bench.counters();
  const firstAt = Math.min(...states.filter((state) => state.count > 0).map((state) => state.firstAt));
  const handled = states.reduce((sum, state) => sum + state.count, 0);
  if (handled !== jobs) throw new Error(`${bench.contestant}: ${jobs} jobs, but ${handled} handler calls`);
  const clientCpu = (await cpuOf(roles)) - idleCpu;
  await Promise.all(roles.map((role) => role.call("stop")));
  return {
    metric: `drain ${jobs / 1000}k, ${workers} ${workers === 1 ? "worker" : "workers"}`,
    contestant: bench.contestant,
    value: (jobs / (emptyAt - firstAt)) * 1000,
    unit: "jobs/s",
    cost: costPerJob(before, after, clientCpu, jobs),
  };
}

/** Fills the store by the contestant's own batches. */
export async function fill(bench: Bench, jobs: number): Promise<void> {
  const producer = await bench.spawn("producer");
  await producer.call("submitBatches", { callers: 2, count: jobs, size: 1000 }, 900_000);
  await producer.call("stop");
  await producer.end();
  await bench.settle();
}

type Workers = Awaited<ReturnType<Bench["spawn"]>>[];

function statesOf(roles: Workers) {
  return Promise.all(roles.map((role) => role.call("state")));
}

async function cpuOf(roles: Workers): Promise<number> {
  return (await statesOf(roles)).reduce((sum, state) => sum + state.cpuMicros, 0);
}
