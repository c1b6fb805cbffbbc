import { type Backoff, backoffMs } from "@drover/daemon/backoff";
import type { Log } from "@drover/daemon/log";
import type { StoredLogLine } from "@drover/db/node/settle";
import { DroverError } from "@drover/domain/error";
import type { LogSink, LogStream } from "./executor/executor.ts";

export interface LogShipperOptions {
  /** Stores a chunk; false when the claim is no longer held. */
  append: (claim: { taskKey: string; fence: string }, chunk: number, lines: StoredLogLine[]) => Promise<boolean>;
  log: Log;
  /** All that is stored of one attempt; the rest is counted, not kept. */
  maxBytes?: number;
  chunkBytes?: number;
  flushMs?: number;
  /** Between two tries to store a chunk. */
  backoff?: Backoff;
}

export interface ShippedLog extends LogSink {
  /** Ships what is left; resolves when all of it is stored or given up. */
  end(): Promise<void>;
}

/**
 * Ships the log of one attempt in chunks while it runs. Bounded in memory and in what is stored; when Postgres is away
 * chunks wait and the oldest waiting text is kept, since the beginning of a log says more than a gap in its middle.
 */
export function createShippedLog(
  claim: { taskKey: string; fence: string },
  {
    append,
    log,
    maxBytes = 8 * 1024 * 1024,
    chunkBytes = 64 * 1024,
    flushMs = 300,
    backoff = { baseMs: 100, capMs: 3000 },
  }: LogShipperOptions,
  firstChunk = 0,
): ShippedLog {
  const partial = new Map<LogStream, { text: string; atMs: number }>();
  let lines: StoredLogLine[] = [];
  let waitingBytes = 0;
  let storedBytes = 0;
  let lostBytes = 0;
  let chunk = firstChunk;
  let timer: NodeJS.Timeout | undefined;
  let shipping: Promise<void> = Promise.resolve();
  let isGone = false;

  const add = (stream: LogStream, text: string, atMs: number) => {
    const bytes = text.length + 24;
    if (isGone) return;
    if (storedBytes + waitingBytes + bytes > maxBytes) {
      lostBytes += bytes;
      return;
    }
    const last = lines.at(-1);
    if (stream === "token" && last?.[0] === "token") last[2] += text;
    else lines.push([stream, atMs, text]);
    waitingBytes += bytes;
    if (waitingBytes >= chunkBytes) ship();
    else timer ??= setTimeout(ship, flushMs);
  };
  const ship = () => {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length === 0) return;
    const batch = lines;
    lines = [];
    storedBytes += waitingBytes;
    waitingBytes = 0;
    const number = chunk++;
    shipping = shipping.then(() => store(number, batch));
  };
  const store = async (number: number, batch: StoredLogLine[]): Promise<void> => {
    for (let failures = 1; !isGone; failures += 1) {
      try {
        if (!(await append(claim, number, batch))) isGone = true;
        return;
      } catch (error) {
        // A database that is away comes back; what it refuses, it refuses again.
        const isAway = error instanceof DroverError && error.reason === "unavailable";
        if (!isAway && failures >= 10) return;
        log.debug({ error, task: claim.taskKey }, "a log chunk did not get through; trying again");
        await new Promise((resolve) => setTimeout(resolve, backoffMs(failures, backoff)));
      }
    }
  };

  return {
    write(stream, text, at) {
      // Whoever follows an answer sees its pieces as they come, not line by line.
      if (stream === "token") return add(stream, text, at.getTime());
      const start = (partial.get(stream)?.text ?? "") + text;
      const parts = start.split("\n");
      const rest = parts.pop() ?? "";
      for (const part of parts) add(stream, part.endsWith("\r") ? part.slice(0, -1) : part, at.getTime());
      // A line without an end is cut where it would not fit into a chunk.
      if (rest.length > chunkBytes) {
        add(stream, rest, at.getTime());
        partial.delete(stream);
      } else partial.set(stream, { text: rest, atMs: at.getTime() });
    },
    async end() {
      for (const [stream, { text, atMs }] of partial) if (text !== "") add(stream, text, atMs);
      partial.clear();
      if (lostBytes > 0)
        lines.push([
          "system",
          Date.now(),
          `${lostBytes} bytes of log were not kept: an attempt keeps ${maxBytes} at most.`,
        ]);
      ship();
      await shipping;
    },
  };
}
