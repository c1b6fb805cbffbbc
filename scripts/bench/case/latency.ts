import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { percentile } from "../measure.ts";
import type { Role } from "../role.ts";

const warm = 25;
const jobs = 200;
const gapMs = 20;

/**
 * On an idle system: from just before the submit until the handler starts, across processes. The contestants take
 * turns job by job, so that whatever disturbs the machine disturbs them alike.
 */
export async function latency(benches: readonly Bench[]): Promise<Figure[]> {
  const pairs: { bench: Bench; worker: Role; producer: Role }[] = [];
  for (const bench of benches) {
    const pair = { bench, worker: await bench.spawn("worker"), producer: await bench.spawn("producer") };
    await pair.worker.call("start");
    pairs.push(pair);
  }
  await takeTurns(pairs, warm);
  for (const { worker } of pairs) await worker.call("record");
  await takeTurns(pairs, jobs);
  const figures: Figure[] = [];
  for (const { bench, worker, producer } of pairs) {
    const latencies = await worker.call("latencies");
    for (const share of [0.5, 0.99]) {
      figures.push({
        metric: `idle start latency, p${share * 100}`,
        contestant: bench.contestant,
        value: percentile(latencies, share),
        unit: "ms",
      });
    }
    await producer.call("stop");
    await worker.call("stop");
  }
  return figures;
}

async function takeTurns(pairs: readonly { bench: Bench; producer: Role }[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const { producer } of pairs) {
      await producer.call("submitPaced", { count: 1, gapMs: 1 });
      await new Promise((resolve) => setTimeout(resolve, gapMs));
    }
  }
  for (const { bench } of pairs) await bench.untilEmpty(10_000);
}
