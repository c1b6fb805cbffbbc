import { type Bench, costPerJob } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { startAdvancing } from "./steps.ts";

/** One run that works on many items at once and joins them: from the start call until it is final. */
export async function fanout(bench: Bench, { items }: { items: number }): Promise<Figure> {
  const api = await startAdvancing(bench);
  try {
    const worker = await bench.spawn("worker");
    const producer = await bench.spawn("producer");
    await worker.call("start");
    // Everything is loaded and connected before.
    await producer.call("startFanout", { items: 10 });
    await bench.untilEmpty(60_000);
    await bench.settle();
    const cpu = async () => (await worker.call("state")).cpuMicros + (api?.cpuMicros() ?? 0);
    const idle = { cpu: await cpu(), count: (await worker.call("state")).count };
    const before = await bench.counters();
    const { startedAt } = await producer.call("startFanout", { items });
    const emptyAt = await bench.untilEmpty(120_000);
    const after = await bench.counters();
    const clientCpu = (await cpu()) - idle.cpu;
    const handled = (await worker.call("state")).count - idle.count;
    if (handled !== items) throw new Error(`${bench.contestant}: ${items} items, but ${handled} handler calls`);
    await producer.call("stop");
    await worker.call("stop");
    return {
      metric: `fan-out of ${items.toLocaleString("en")}`,
      contestant: bench.contestant,
      value: (emptyAt - startedAt) / 1000,
      unit: "s",
      cost: costPerJob(before, after, clientCpu, items),
    };
  } finally {
    await api?.end();
  }
}
