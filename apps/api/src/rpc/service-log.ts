import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceLogLine } from "@drover/db/node/replica";
import type { NodeQuestion } from "@drover/db/query/node-request";
import { DroverError } from "@drover/domain/error";
import {
  type StreamServiceLogsRequest,
  type StreamServiceLogsResponse,
  StreamServiceLogsResponseSchema,
} from "@drover/proto/drover/environment";
import { ask, type AskDeps } from "../watch/node-request.ts";
import { absenceOf, findReplicas, isPlaced, type PlacedReplica } from "./service-replica.ts";

export interface LogWatchOptions {
  namespaceId: number;
  signal: AbortSignal;
  /** How often it is looked whether a followed service has other replicas than before. */
  lookMs?: number;
}

type LogRequest = Pick<StreamServiceLogsRequest, "environment" | "service" | "replica" | "follow" | "tail" | "since">;

/**
 * Lines of a service's containers, in order for each and as they come among them. Following, it goes on with replicas
 * that are moved, added or made anew; a node that does not answer ends it with the reason.
 */
export async function* serviceLogs(
  deps: AskDeps,
  request: LogRequest,
  { namespaceId, signal, lookMs = 5000 }: LogWatchOptions,
): AsyncGenerator<StreamServiceLogsResponse> {
  const find = async () => {
    const rows = await findReplicas(deps, namespaceId, request.environment, [request.service]);
    return rows.filter(({ number }) => request.replica === undefined || number === request.replica);
  };
  const readers = new Map<string, ReplicaReader>();
  for (;;) {
    const rows = await find();
    const placed = rows.filter(isPlaced);
    if (placed.length === 0) throw missing(request, rows.map(absenceOf));
    const questions = placed.map(({ replica_id }) => {
      const reader = readers.get(replica_id) ?? createReplicaReader(request, replica_id);
      readers.set(replica_id, reader);
      return { kind: "logs", spec: reader.spec() } as const;
    });
    const look = watchPlaces(find, faceOf(rows), { signal, lookMs, isWatching: request.follow });
    try {
      const absent: string[] = [];
      let late: DroverError | undefined;
      const asked = questions.map((question, n): NodeQuestion => ({
        ...question,
        holderId: placed[n]?.holder_id ?? 0,
      }));
      for await (const answer of ask(deps, asked, { signal: look.signal })) {
        const row = placed[answer.question];
        const reader = row && readers.get(row.replica_id);
        if (row === undefined || reader === undefined) continue;
        if ("fault" in answer) {
          const { reason } = answer.fault;
          if (reason === "not_found") absent.push(absenceOf(row));
          else if (reason === "conflict" && request.follow) look.again();
          else if (request.follow) throw answer.fault;
          else late ??= reason === "conflict" ? new DroverError("unavailable", answer.fault.message) : answer.fault;
          if (absent.length === placed.length && !hasRead(readers)) throw missing(request, absent);
        } else if ("lines" in answer.body) {
          const { containerId, lines } = answer.body;
          for (const line of lines) if (reader.isNew(line)) yield lineMessage(row, containerId, line);
        }
      }
      if (late !== undefined) throw late;
      // Containers that were not there come with a report of the node, which moves the look on.
      if (request.follow && !look.signal.aborted) await look.moved;
    } finally {
      look.stop();
    }
    if (!request.follow || signal.aborted) return;
  }
}

interface ReplicaReader {
  spec(): Extract<NodeQuestion, { kind: "logs" }>["spec"];
  /** Whether no earlier answer had the line. */
  isNew(line: ServiceLogLine): boolean;
  readonly hasRead: boolean;
}

/** What was read of a replica, so that it can be asked for the rest. */
function createReplicaReader(request: LogRequest, replicaId: string): ReplicaReader {
  const last = { stdout: "", stderr: "" };
  let known = { ...last };
  let isAsked = false;
  const since = request.since ? timestampDate(request.since).getTime() / 1000 : 0;
  return {
    spec() {
      known = { ...last };
      const newest = last.stdout > last.stderr ? last.stdout : last.stderr;
      const tail = isAsked ? 0 : request.tail;
      isAsked = true;
      const sinceSeconds = newest === "" ? since : Math.floor(Date.parse(newest) / 1000) - disorderSeconds;
      return { replicaId, follow: request.follow, tail, sinceSeconds };
    },
    isNew([stream, stamp]) {
      if (known[stream] !== "" && stamp <= known[stream]) return false;
      last[stream] = stamp;
      return true;
    },
    get hasRead() {
      return last.stdout !== "" || last.stderr !== "";
    },
  };
}

// The two streams of a container are not in order with each other.
const disorderSeconds = 2;

function hasRead(readers: ReadonlyMap<string, ReplicaReader>): boolean {
  return readers.values().some((reader) => reader.hasRead);
}

interface PlaceWatch {
  /** Aborted when there is reason to ask anew, or at the caller's signal. */
  signal: AbortSignal;
  moved: Promise<void>;
  again(): void;
  stop(): void;
}

/** Looks every so often whether replicas are elsewhere than before. */
function watchPlaces(
  find: () => Promise<Parameters<typeof faceOf>[0]>,
  face: string,
  options: { signal: AbortSignal; lookMs: number; isWatching: boolean },
): PlaceWatch {
  const moving = new AbortController();
  const again = () => moving.abort();
  options.signal.addEventListener("abort", again, { once: true });
  if (options.signal.aborted) again();
  let timer: NodeJS.Timeout | undefined;
  const plan = () => {
    if (options.isWatching && !moving.signal.aborted) timer = setTimeout(() => void look(), options.lookMs);
  };
  const look = async () => {
    // An environment that is gone, or a database that is away, shows when the nodes are asked again.
    const now = await find().then(faceOf, () => face);
    if (now === face) plan();
    else again();
  };
  plan();
  return {
    signal: moving.signal,
    moved: new Promise((resolve) => moving.signal.addEventListener("abort", () => resolve(), { once: true })),
    again,
    stop() {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", again);
      again();
    },
  };
}

function faceOf(rows: readonly { replica_id: string | null; holder_id: number | null; container_id: string | null }[]) {
  return rows.map((row) => `${row.replica_id}@${row.holder_id}${row.container_id === null ? "" : "+"}`).join();
}

function missing({ environment, service, replica }: LogRequest, reasons: readonly string[]): DroverError {
  const none = replica === undefined ? "it has no replicas" : `it has no replica ${replica}`;
  const why = reasons.length === 0 ? none : [...new Set(reasons)].join("; ");
  return new DroverError("not_found", `Service "${service}" of "${environment}" has no container: ${why}.`);
}

function lineMessage(
  { number }: PlacedReplica,
  containerId: string,
  [stream, stamp, message]: ServiceLogLine,
): StreamServiceLogsResponse {
  const at = timestampFromMs(Date.parse(stamp));
  // The engine counts nanoseconds, of which a date keeps three digits.
  const fraction = /\.(\d{1,9})/.exec(stamp)?.[1];
  if (fraction !== undefined) at.nanos = Number(fraction.padEnd(9, "0"));
  return create(StreamServiceLogsResponseSchema, { replica: number, containerId, stream, message, at });
}
