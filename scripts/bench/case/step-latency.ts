import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { nowMs, percentile } from "../measure.ts";
import type { Role } from "../role.ts";
import { startAdvancing } from "./steps.ts";

const warm = 25;
const count = 200;
const gapMs = 20;

/**
 * On an idle system, with one step at a time: from the end of a step's handler until that of the next step starts,
 * beside the start latency of a plain task. Steps take as long as the plain tasks are apart.
 */
export async function stepLatency(bench: Bench): Promise<Figure[]> {
  const api = await startAdvancing(bench);
  try {
    const worker = await bench.spawn("worker");
    const producer = await bench.spawn("producer");
    await worker.call("start");
    const plain = await record(bench, worker, (jobs) =>
      producer.call("submitPaced", { count: jobs, gapMs }).then(() => bench.untilEmpty(30_000)),
    );
    const steps = await record(bench, worker, (jobs) =>
      producer.call("startSpacedChain", { steps: jobs, stepMs: gapMs }).then(() => bench.untilEmpty(60_000)),
    );
    await producer.call("stop");
    await worker.call("stop");
    const { contestant } = bench;
    return [0.5, 0.99].flatMap((share) => {
      const [step, task] = [percentile(steps, share), percentile(plain, share)];
      const name = `p${share * 100}`;
      return [
        { metric: `step latency, ${name}`, contestant, value: step, unit: "ms" },
        { metric: `plain start latency, ${name}`, contestant, value: task, unit: "ms" },
        { metric: `step latency over that of a plain task, ${name}`, contestant, value: step / task, unit: "x" },
      ];
    });
  } finally {
    await api?.end();
  }
}

/** Latencies after the first ones, which warm everything up. */
async function record(bench: Bench, worker: Role, send: (jobs: number) => Promise<unknown>): Promise<number[]> {
  const from = (await worker.call("state")).count;
  await worker.call("record");
  await send(warm + count);
  const end = nowMs() + 10_000;
  while ((await worker.call("state")).count - from < warm + count && nowMs() < end)
    await new Promise((resolve) => setTimeout(resolve, gapMs));
  const latencies = await worker.call("latencies");
  if (latencies.length !== warm + count)
    throw new Error(`${bench.contestant}: ${warm + count} jobs, but ${latencies.length} handler calls`);
  return latencies.slice(warm);
}
