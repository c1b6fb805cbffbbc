import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { nowMs } from "../measure.ts";
import { startAdvancing } from "./steps.ts";

/** Whether one large run costs more for each of its steps than a smaller one: sequential steps, then items of a map. */
export async function runSize(bench: Bench): Promise<Figure[]> {
  const api = await startAdvancing(bench);
  try {
    const worker = await bench.spawn("worker");
    const producer = await bench.spawn("producer");
    await worker.call("start");
    const perStep = async (start: () => Promise<unknown>, steps: number) => {
      await bench.settle();
      const startedAt = nowMs();
      await start();
      return ((await bench.untilEmpty(240_000, 10)) - startedAt) / steps;
    };
    const chain = (steps: number) => perStep(() => producer.call("startChains", { runs: 1, steps }), steps);
    const map = (items: number) => perStep(() => producer.call("startFanout", { items }), items);
    await chain(100);
    await map(100);
    const figures = [
      figure("sequential steps, 10,000 against 1,000", await chain(1000), await chain(10_000)),
      figure("items of a map, 10,000 against 1,000", await map(1000), await map(10_000)),
    ];
    await producer.call("stop");
    await worker.call("stop");
    return figures;
  } finally {
    await api?.end();
  }
}

function figure(metric: string, small: number, large: number): Figure {
  const note = `${large.toFixed(3)} against ${small.toFixed(3)} ms each`;
  return { metric, contestant: "drover", value: large / small, unit: "x", note };
}
