import { type Bench, costPerJob } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { percentile } from "../measure.ts";

const warmMs = 2000;
const measureMs = 15_000;
const pacedMs = 10_000;

/** 32 callers one job a call against one worker: completed jobs a second; then start latency at half that rate. */
export async function steady(bench: Bench): Promise<Figure[]> {
  const worker = await bench.spawn("worker");
  const producer = await bench.spawn("producer");
  await worker.call("start");
  const flood = producer.call("submitEach", { callers: 32, ms: warmMs + measureMs + 500 });
  await pause(warmMs);
  const from = await worker.call("state");
  const before = await bench.counters();
  await pause(measureMs);
  const to = await worker.call("state");
  const after = await bench.counters();
  const { calls, cpuMicros } = await flood;
  const left = await bench.open();
  const done = to.count - from.count;
  const rate = (done / (to.at - from.at)) * 1000;
  const clientCpu = to.cpuMicros - from.cpuMicros + (cpuMicros / calls) * done;
  await bench.untilEmpty(60_000);
  await pause(500);

  const gapMs = 2000 / rate;
  await producer.call("submitPaced", { count: Math.floor(warmMs / gapMs), gapMs });
  await worker.call("record");
  await producer.call("submitPaced", { count: Math.floor(pacedMs / gapMs), gapMs });
  await bench.untilEmpty(60_000);
  const latencies = await worker.call("latencies");
  await producer.call("stop");
  await worker.call("stop");
  return [
    {
      metric: "steady, completed",
      contestant: bench.contestant,
      value: rate,
      unit: "jobs/s",
      cost: costPerJob(before, after, clientCpu, done),
      note: `${left} open at the end`,
    },
    {
      metric: "start latency at half load, p99",
      contestant: bench.contestant,
      value: percentile(latencies, 0.99),
      unit: "ms",
    },
  ];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
