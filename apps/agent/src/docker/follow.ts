import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "./engine.ts";
import { createFrameReader, sinceOf } from "./log-frame.ts";
import type { LogRecord } from "./log-frame.ts";

/**
 * Reads a container's log until it is complete: that is when a reading that began after the container's end
 * (`ended`) came to its own end. One that began before may miss the last records: engines lose that race.
 * A further reading starts a little before the last stamp and leaves out what was seen: within a stream the
 * stamps only grow, and records that share the last one are counted.
 */
export async function followLog(
  engine: Engine,
  id: string,
  onRecord: (record: LogRecord) => void,
  signals: { ended: AbortSignal; stop: AbortSignal },
): Promise<void> {
  const seen: Seen = { stdout: { stamp: "", count: 0 }, stderr: { stamp: "", count: 0 } };
  while (!signals.stop.aborted) {
    const isLast = signals.ended.aborted;
    const reading = await readOnce(engine, id, seen, onRecord, signals.stop);
    if (reading === "missing" || (reading === "whole" && isLast)) return;
    // Where the container has ended already the engine may still be coming back.
    const signal = isLast ? signals.stop : AbortSignal.any([signals.ended, signals.stop]);
    if (!signal.aborted) await delay(250, undefined, { signal }).catch(() => undefined);
  }
}

type Seen = Record<LogRecord["stream"], { stamp: string; count: number }>;

async function readOnce(
  engine: Engine,
  id: string,
  seen: Seen,
  onRecord: (record: LogRecord) => void,
  stop: AbortSignal,
): Promise<"whole" | "broken" | "missing"> {
  const last = seen.stdout.stamp > seen.stderr.stamp ? seen.stdout.stamp : seen.stderr.stamp;
  const answer = await engine.followLogs(id, last === "" ? undefined : sinceOf(last), stop);
  if (!answer.ok) return answer.fault === "missing" ? "missing" : "broken";
  const before = { stdout: { ...seen.stdout }, stderr: { ...seen.stderr } };
  const read = createFrameReader((record) => {
    const known = before[record.stream];
    if (record.stamp < known.stamp) return;
    if (record.stamp === known.stamp && known.count > 0) {
      known.count -= 1;
      return;
    }
    const now = seen[record.stream];
    now.count = record.stamp === now.stamp ? now.count + 1 : 1;
    now.stamp = record.stamp;
    onRecord(record);
  });
  try {
    for await (const chunk of answer.value) read(chunk);
    return "whole";
  } catch {
    return "broken"; // The next reading starts where this one ended.
  }
}
