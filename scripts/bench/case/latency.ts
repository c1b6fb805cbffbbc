import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { percentile } from "../measure.ts";

const warm = 25;
const jobs = 200;

/** On an idle system: from just before the submit until the handler starts, across processes. */
export async function latency(bench: Bench): Promise<Figure[]> {
  const worker = await bench.spawn("worker");
  const producer = await bench.spawn("producer");
  await worker.call("start");
  await producer.call("submitPaced", { count: warm, gapMs: 20 });
  await bench.untilEmpty(10_000);
  await worker.call("record");
  await producer.call("submitPaced", { count: jobs, gapMs: 20 });
  await bench.untilEmpty(10_000);
  const latencies = await worker.call("latencies");
  await producer.call("stop");
  await worker.call("stop");
  return [0.5, 0.99].map((share) => ({
    metric: `idle start latency, p${share * 100}`,
    contestant: bench.contestant,
    value: percentile(latencies, share),
    unit: "ms",
  }));
}
