import { StringDecoder } from "node:string_decoder";
import type { LogSink } from "./executor.ts";

const tailBytes = 4096;
const resultMarker = "__DSPY_RESULT__:";
const resultLineLimit = 1_048_576;

export interface Capture {
  write(stream: "stdout" | "stderr", bytes: Buffer, at: Date): void;
  /** A line of our own about the run. */
  note(text: string): void;
  /** What to keep of the output once it has ended. */
  finish(): { stdoutTail: string; stderrTail: string; runnerOutput?: unknown };
}

/**
 * Watches the output of a run: passes it on as text, keeps the tails, and reads the result line.
 * Output before `since` was passed on by a former life of the agent; it still counts for tails and result.
 */
export function createCapture(sink: LogSink, options: { since?: Date } = {}): Capture {
  const sinceMs = options.since?.getTime() ?? 0;
  const streams = { stdout: createStream(), stderr: createStream() };
  const result = createResultReader();
  let lastAt = new Date(sinceMs);
  return {
    write(stream, bytes, at) {
      const { decoder, tail } = streams[stream];
      tail.push(bytes);
      lastAt = at;
      const text = decoder.write(bytes);
      if (text === "") return;
      if (stream === "stdout") result.push(text);
      if (at.getTime() >= sinceMs) sink.write(stream, text, at);
    },
    note(text) {
      sink.write("system", `${text}\n`, new Date());
    },
    finish() {
      for (const stream of ["stdout", "stderr"] as const) {
        const rest = streams[stream].decoder.end();
        if (rest !== "") sink.write(stream, rest, lastAt);
      }
      const runnerOutput = result.finish();
      return {
        stdoutTail: streams.stdout.tail.text(),
        stderrTail: streams.stderr.tail.text(),
        ...(runnerOutput === undefined ? {} : { runnerOutput }),
      };
    },
  };
}

function createStream(): { decoder: StringDecoder; tail: ReturnType<typeof createTail> } {
  return { decoder: new StringDecoder("utf8"), tail: createTail() };
}

function createTail(): { push(bytes: Buffer): void; text(): string } {
  let kept: Buffer[] = [];
  let size = 0;
  return {
    push(bytes) {
      kept.push(bytes.length > tailBytes ? bytes.subarray(-tailBytes) : bytes);
      size += bytes.length;
      // Joining at four times the size keeps many small writes linear.
      if (size < 4 * tailBytes) return;
      kept = [Buffer.from(Buffer.concat(kept).subarray(-tailBytes))];
      size = tailBytes;
    },
    text() {
      return readable(Buffer.concat(kept).subarray(-tailBytes));
    },
  };
}

// A cut inside a character leaves continuation bytes at the start; Postgres refuses the zero character.
function readable(bytes: Buffer): string {
  let start = 0;
  while (start < 3 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start).toString("utf8").replaceAll("\u0000", "\ufffd");
}

// The last marked line counts, and only if it is JSON.
function createResultReader(): { push(text: string): void; finish(): unknown } {
  let line = "";
  let isTooLong = false;
  let result: unknown;
  const endLine = (): void => {
    const text = isTooLong ? "" : line.trim();
    line = "";
    isTooLong = false;
    if (text.startsWith(resultMarker)) result = parse(text.slice(resultMarker.length));
  };
  return {
    push(text) {
      let from = 0;
      for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
        line += text.slice(from, at);
        endLine();
        from = at + 1;
      }
      if (line.length + text.length - from > resultLineLimit) isTooLong = true;
      else line += text.slice(from);
      if (isTooLong) line = "";
    },
    finish() {
      endLine();
      return result;
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Not JSON: the tail still shows it to the reader.
  }
}
