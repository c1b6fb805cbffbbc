import { setTimeout as pause } from "node:timers/promises";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StreamServiceLogsResponse } from "@drover/proto/drover/environment";
import { type Client, isAway } from "./client.ts";
import type { Output } from "./output.ts";
import type { Color } from "./table.ts";

export interface ServiceLogOptions {
  client: Client;
  environment: string;
  service: string;
  /** Absent: all. */
  replica: number | undefined;
  follow: boolean;
  /** 0: all lines. */
  tail: number;
  since: Date | undefined;
  signal: AbortSignal;
  /** Whether to wait, following, where there is no container yet; told what the server says of that. */
  isComing: (reason: string) => Promise<boolean>;
  onLine: (line: StreamServiceLogsResponse) => void;
}

const patience = 8;
const waitMs = 500;

/** Reads the log of a service; following, it goes on over restarts of the API without saying a line twice. */
export async function streamServiceLog(options: ServiceLogOptions): Promise<void> {
  const { client, environment, service, replica, follow, tail, since, signal, isComing, onLine } = options;
  const last = new Map<string, string>();
  let readMs: number | undefined;
  for (let failures = 0; ;) {
    // The streams of replicas are not in order with each other.
    const sinceMs = readMs === undefined ? since?.getTime() : readMs - 10_000;
    const request = {
      environment,
      service,
      follow,
      tail: readMs === undefined ? tail : 0,
      ...(replica !== undefined && { replica }),
      ...(sinceMs !== undefined && { since: timestampFromMs(sinceMs) }),
    };
    const known = new Map(last);
    try {
      for await (const line of client.environments.streamServiceLogs(request, { signal, timeoutMs: 0 })) {
        failures = 0;
        const key = `${line.replica} ${line.stream}`;
        const stamp = stampOf(line.at);
        if (stamp !== "" && stamp <= (known.get(key) ?? "")) continue;
        last.set(key, stamp);
        readMs = Math.max(readMs ?? 0, line.at === undefined ? 0 : timestampMs(line.at));
        onLine(line);
      }
      return;
    } catch (error) {
      const isMissing = follow && !signal.aborted && error instanceof ConnectError && error.code === Code.NotFound;
      if (isMissing && (await isComing(error.rawMessage))) {
        await pause(waitMs, undefined, { signal });
        continue;
      }
      failures += 1;
      if (signal.aborted || !follow || !isAway(error) || failures > patience) throw error;
      await pause(Math.min(5000, 200 * 2 ** failures) * (1 - Math.random() / 2), undefined, { signal });
    }
  }
}

export interface ServiceLogPrinterOptions {
  withTimes: boolean;
  /** Names replicas in front of their lines; absent: there is but one. */
  nameOf: ((replica: number) => string) | undefined;
}

/** Writes lines where the containers wrote them, to stdout or to stderr. */
export function createServiceLogPrinter(output: Output, { withTimes, nameOf }: ServiceLogPrinterOptions) {
  return ({ replica, containerId, stream, message, at }: StreamServiceLogsResponse): void => {
    const time = stampOf(at);
    if (output.isJson)
      return output.jsonLine({ time, replica, containerId, stream, message: message.replace(/\n$/, "") });
    const isError = stream === "stderr";
    const paint = isError ? output.paintError : output.paint;
    const name = nameOf === undefined ? "" : paint(`${nameOf(replica)} | `, colors[replica % colors.length]);
    const stamp = withTimes ? `${paint(time, "dim")} ` : "";
    output.raw(`${name}${stamp}${message.endsWith("\n") ? message : `${message}\n`}`, isError ? "stderr" : "stdout");
  };
}

/** Neighbours are to be told apart; red is for what is wrong. */
const colors: readonly Color[] = ["blue", "green", "yellow"];

/** The engine's own stamp, with its nanoseconds. */
function stampOf(at: Timestamp | undefined): string {
  if (at === undefined) return "";
  const seconds = new Date(Number(at.seconds) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(at.nanos).padStart(9, "0")}Z`;
}
