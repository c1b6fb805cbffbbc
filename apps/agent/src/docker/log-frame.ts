/** One record of a container's log: a line, or a piece of a very long one. */
export interface LogRecord {
  stream: "stdout" | "stderr";
  /** The engine's time of the record with nanoseconds; such stamps sort as texts. */
  stamp: string;
  bytes: Buffer;
}

const headerBytes = 8;

/**
 * Takes a multiplexed log apart: each frame is a header (stream, three zeros, length) and then
 * a stamp, a space and the text.
 */
export function createFrameReader(onRecord: (record: LogRecord) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= headerBytes) {
      const end = at + headerBytes + rest.readUInt32BE(at + 4);
      if (rest.length < end) break;
      const frame = rest.subarray(at + headerBytes, end);
      const space = frame.indexOf(0x20);
      onRecord({
        stream: rest[at] === 2 ? "stderr" : "stdout",
        stamp: frame.subarray(0, space).toString("latin1"),
        bytes: frame.subarray(space + 1),
      });
      at = end;
    }
    rest = rest.subarray(at);
  };
}

// A record is stamped before it is written, so one stream's may stand behind later ones of the other.
const disorderSeconds = 2;

/** The time, as the engine takes it, from which a log must be read again to miss nothing after a stamp. */
export function sinceOf(stamp: string): string {
  return String(Math.floor(Date.parse(stamp) / 1000) - disorderSeconds);
}
