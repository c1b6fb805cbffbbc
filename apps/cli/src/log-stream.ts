import { setTimeout as pause } from "node:timers/promises";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { LogLine } from "@drover/proto/drover/task";
import { type Client, isAway } from "./client.ts";
import type { Output } from "./output.ts";

export interface LogStreamOptions {
  client: Client;
  id: string;
  follow: boolean;
  /** 0: everything that is stored. */
  tail: number;
  since: Date | undefined;
  signal: AbortSignal;
  onLine: (line: LogLine) => void;
}

const patience = 8;

/** Reads the log of a task; following, it goes on over restarts of the API without saying a line twice. */
export async function streamLog({ client, id, follow, tail, since, signal, onLine }: LogStreamOptions): Promise<void> {
  let sinceMs = since?.getTime() ?? 0;
  let saidAtSince = 0;
  let hasRead = false;
  for (let failures = 0; ;) {
    try {
      let skip = saidAtSince;
      const request = { id, follow, tail: hasRead ? 0 : tail, ...(sinceMs > 0 && { since: timestampFromMs(sinceMs) }) };
      for await (const { lines } of client.tasks.getTaskLogs(request, { signal, timeoutMs: 0 })) {
        failures = 0;
        for (const line of lines) {
          const atMs = line.time === undefined ? 0 : timestampMs(line.time);
          if (atMs === sinceMs && skip > 0) {
            skip -= 1;
            continue;
          }
          saidAtSince = atMs === sinceMs ? saidAtSince + 1 : 1;
          sinceMs = Math.max(sinceMs, atMs);
          hasRead = true;
          onLine(line);
        }
      }
      return;
    } catch (error) {
      failures += 1;
      if (signal.aborted || !isAway(error) || failures > patience) throw error;
      await pause(Math.min(5000, 200 * 2 ** failures) * (1 - Math.random() / 2), undefined, { signal });
    }
  }
}

/**
 * Writes lines of a log where the task wrote them: its stdout on stdout, everything else on stderr. A model's tokens are
 * pieces of one text on stdout; what follows them begins a line of its own.
 */
export function createLogPrinter(output: Output, { withTimes }: { withTimes: boolean }): (line: LogLine) => void {
  let isInText = false;
  return (line) => {
    const time = line.time === undefined ? "" : new Date(timestampMs(line.time)).toISOString();
    if (output.isJson) return output.jsonLine({ time, attempt: line.attempt, stream: line.stream, text: line.text });
    const prefix = withTimes ? `${time} ${line.attempt} ${line.stream.padEnd(6)} ` : "";
    if (line.stream === "token" && !withTimes) {
      isInText = !line.text.endsWith("\n");
      return output.raw(line.text, "stdout");
    }
    if (isInText) output.raw("\n", "stdout");
    isInText = false;
    const text = line.text.endsWith("\n") ? line.text : `${line.text}\n`;
    if (line.stream === "system") {
      output.raw(`${output.paintError(`${prefix}[drover] ${text.trimEnd()}`, "dim")}\n`, "stderr");
    } else output.raw(prefix + text, line.stream === "stderr" ? "stderr" : "stdout");
  };
}
