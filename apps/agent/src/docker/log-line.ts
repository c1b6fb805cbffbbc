import { createFrameReader, type LogRecord, sinceOf } from "./log-frame.ts";

/** A line, with the engine's own time of its beginning. */
export interface LogLine {
  stream: "stdout" | "stderr";
  stamp: string;
  message: string;
}

export interface LogLineReader {
  /** From when the next reading has to begin so as to miss nothing; undefined: nothing was read yet. */
  readonly since: string | undefined;
  /** Starts another reading of the same log: what it repeats is left out. */
  begin(): void;
  read(chunk: Buffer): LogLine[];
  /** Lines that were begun and will not go on. */
  end(): LogLine[];
}

const lineLimitBytes = 64 * 1024;

/**
 * Makes lines of a container's log over several readings of it. Engines cut long lines into records; those are joined
 * again, up to a limit. Within a stream the stamps only grow, and records that share the last one are counted.
 */
export function createLogLineReader(): LogLineReader {
  const streams = { stdout: createStream(), stderr: createStream() };
  let lines: LogLine[] = [];
  let readFrames = createFrameReader(take);

  function take(record: LogRecord): void {
    const stream = streams[record.stream];
    if (stream.isKnown(record.stamp)) return;
    stream.stamp ??= record.stamp;
    // The bytes are a window on what the engine sent, which must not be kept for the sake of one line.
    const endsLine = record.bytes.at(-1) === newline;
    stream.pieces.push(endsLine && stream.pieces.length === 0 ? record.bytes : Buffer.from(record.bytes));
    stream.bytes += record.bytes.length;
    if (endsLine || stream.bytes >= lineLimitBytes) lines.push(stream.end(record.stream));
  }

  return {
    get since() {
      const [out, err] = [streams.stdout.last, streams.stderr.last];
      const last = out > err ? out : err;
      return last === "" ? undefined : sinceOf(last);
    },
    begin() {
      readFrames = createFrameReader(take);
      for (const stream of Object.values(streams)) stream.begin();
    },
    read(chunk) {
      readFrames(chunk);
      const read = lines;
      lines = [];
      return read;
    },
    end: () =>
      (["stdout", "stderr"] as const).flatMap((name) => (streams[name].bytes > 0 ? [streams[name].end(name)] : [])),
  };
}

const newline = 0x0a;

function createStream() {
  let known = { stamp: "", count: 0 };
  let count = 0;
  return {
    last: "",
    pieces: [] as Buffer[],
    bytes: 0,
    stamp: undefined as string | undefined,
    begin() {
      known = { stamp: this.last, count };
    },
    /** Whether an earlier reading had this record; if not, it has been seen from now on. */
    isKnown(stamp: string): boolean {
      if (stamp < known.stamp) return true;
      if (stamp === known.stamp && known.count > 0) {
        known.count -= 1;
        return true;
      }
      count = stamp === this.last ? count + 1 : 1;
      this.last = stamp;
      return false;
    },
    end(stream: "stdout" | "stderr"): LogLine {
      const message = Buffer.concat(this.pieces)
        .toString("utf8")
        .replace(/\r?\n$/, "");
      const line = { stream, stamp: this.stamp ?? this.last, message };
      this.pieces = [];
      this.bytes = 0;
      this.stamp = undefined;
      return line;
    },
  };
}
