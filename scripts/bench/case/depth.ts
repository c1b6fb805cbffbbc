import { openDatabase } from "../../../db/client.ts";
import { setPaused } from "../../../db/query/class.ts";
import { findNamespace } from "../../../db/query/queue.ts";
import { createSubmitter } from "../../../packages/worker/src/submit.ts";
import type { Bench } from "../bench.ts";
import { nowMs } from "../measure.ts";
import { fill } from "./drain.ts";

/** How fast the first jobs start that one worker takes, from its first handler's start. */
export async function firstJobsRate(
  bench: Bench,
  { waiting, first }: { waiting: number; first: number },
): Promise<number> {
  await fill(bench, waiting);
  const worker = await bench.spawn("worker");
  const end = nowMs() + 120_000;
  await worker.call("start", { marks: [first] });
  let state = await worker.call("state");
  while (state.marks.length === 0 && nowMs() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    state = await worker.call("state");
  }
  const [passedAt = NaN] = state.marks;
  return ((first - 1) / (passedAt - state.firstAt)) * 1000;
}

/** Parks tasks that cannot start ahead of all others: delayed ones, and ones of a paused class. */
export async function park(url: string, count: number): Promise<void> {
  const db = openDatabase({ url, maxConnections: 2 });
  try {
    const submitter = createSubmitter({ db });
    const batch = (more: object) =>
      Array.from({ length: 1000 }, (_, index) => ({
        type: "noop",
        payload: { index, sentAt: 0 },
        priority: 50,
        ...more,
      }));
    await setPaused(db, (await findNamespace(db, "default")) ?? 0, "cpu_long", true);
    for (let parked = 0; parked < count; parked += 1000) {
      await submitter.submitAll(batch({ delayMs: 3_600_000 }));
      await submitter.submitAll(batch({ class: "cpu_long" }));
    }
  } finally {
    await db.close();
  }
}
