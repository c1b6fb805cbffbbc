import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "./engine.ts";
import { createFrameReader, sinceOf } from "./log-frame.ts";
import type { LogRecord } from "./log-frame.ts";

/**
 * Reads a container's log until it is complete: that is when a reading that began after the container's end
 * (`ended`) came to its own end. One that began before may miss the last records: engines lose that race.
 * Each further reading starts where the last one stopped; records may share a stamp, so those already
 * seen at the last stamp are counted, not guessed.
 */
export async function followLog(
  engine: Engine,
  id: string,
  onRecord: (record: LogRecord) => void,
  signals: { ended: AbortSignal; stop: AbortSignal },
): Promise<void> {
  const seen = { stamp: "", count: 0 };
  while (!signals.stop.aborted) {
    const isLast = signals.ended.aborted;
    const reading = await readOnce(engine, id, seen, onRecord, signals.stop);
    if (reading === "missing" || (reading === "whole" && isLast)) return;
    // Where the container has ended already the engine may still be coming back.
    const signal = isLast ? signals.stop : AbortSignal.any([signals.ended, signals.stop]);
    if (!signal.aborted) await delay(250, undefined, { signal }).catch(() => undefined);
  }
}

async function readOnce(
  engine: Engine,
  id: string,
  seen: { stamp: string; count: number },
  onRecord: (record: LogRecord) => void,
  stop: AbortSignal,
): Promise<"whole" | "broken" | "missing"> {
  const answer = await engine.followLogs(id, seen.stamp === "" ? undefined : sinceOf(seen.stamp), stop);
  if (!answer.ok) return answer.fault === "missing" ? "missing" : "broken";
  let skip = seen.count;
  const from = seen.stamp;
  const read = createFrameReader((record) => {
    if (record.stamp < from) return;
    if (record.stamp === from && skip > 0) {
      skip -= 1;
      return;
    }
    seen.count = record.stamp === seen.stamp ? seen.count + 1 : 1;
    seen.stamp = record.stamp;
    onRecord(record);
  });
  try {
    for await (const chunk of answer.value) read(chunk);
    return "whole";
  } catch {
    return "broken"; // The next reading starts where this one ended.
  }
}
