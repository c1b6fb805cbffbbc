import { type Bench, costPerJob } from "../bench.ts";
import type { Figure } from "../figure.ts";
import type { Role } from "../role.ts";

const jobs = 20_000;

/** One call per job with 32 in flight, then batches of 1,000 with one and four in flight. */
export async function enqueue(bench: Bench): Promise<Figure[]> {
  const producer = await bench.spawn("producer");
  await producer.call("submitEach", { callers: 32, count: 500 });
  await producer.call("submitBatches", { callers: 1, count: 2000, size: 1000 });
  await bench.settle();
  const measure = async (metric: string, run: () => ReturnType<Role["call"]>): Promise<Figure> => {
    const before = await bench.counters();
    const { ms, cpuMicros } = (await run()) as { ms: number; cpuMicros: number };
    const cost = costPerJob(before, await bench.counters(), cpuMicros, jobs);
    return { metric, contestant: bench.contestant, value: (jobs / ms) * 1000, unit: "jobs/s", cost };
  };
  const figures = [
    await measure("submit one a call, 32 in flight", () => producer.call("submitEach", { callers: 32, count: jobs })),
    await measure("submit batches of 1,000, one in flight", () =>
      producer.call("submitBatches", { callers: 1, count: jobs, size: 1000 }),
    ),
    await measure("submit batches of 1,000, four in flight", () =>
      producer.call("submitBatches", { callers: 4, count: jobs, size: 1000 }),
    ),
  ];
  await producer.call("stop");
  return figures;
}
