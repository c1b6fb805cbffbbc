import { listLogChunks, listNewestLogChunks, type LogChunk } from "@drover/db/query/log";
import { getTasks } from "@drover/db/query/task";
import { isFinal } from "@drover/domain/task";
import type { Deps } from "../operation/context.ts";

export interface LogRequest {
  key: string;
  namespaceId: number;
  follow: boolean;
  /** 0: everything that is stored. */
  tail: number;
  sinceMs: number;
  signal: AbortSignal;
}

export interface ReadLine {
  attempt: number;
  stream: string;
  text: string;
  atMs: number;
}

const pageChunks = 50;
const followMs = 300;

/** The log of a task in batches of lines, oldest first; following, it ends when the task is final and all is read. */
export async function* readLogs({ db }: Pick<Deps, "db">, request: LogRequest): AsyncGenerator<ReadLine[]> {
  let cursor = { attempt: -1, chunk: -1 };
  if (request.tail > 0) {
    const newest = await listNewestLogChunks(db, request.key, Math.min(1000, request.tail));
    const lines = linesOf(newest.toReversed(), request.sinceMs).slice(-request.tail);
    if (lines.length > 0) yield lines;
    cursor = newest[0] ?? cursor;
    if (!request.follow) return;
  }
  while (!request.signal.aborted) {
    // The state is read before the chunks: what a final task had to say is stored by then.
    const [task] = request.follow ? await getTasks(db, request.namespaceId, [request.key]) : [];
    const chunks = await listLogChunks(db, request.key, cursor, pageChunks);
    cursor = chunks.at(-1) ?? cursor;
    const lines = linesOf(chunks, request.sinceMs);
    if (lines.length > 0) yield lines;
    if (chunks.length === pageChunks) continue;
    if (!request.follow || task === undefined || isFinal(task.state)) return;
    await pause(followMs, request.signal);
  }
}

function linesOf(chunks: LogChunk[], sinceMs: number): ReadLine[] {
  return chunks.flatMap(({ attempt, lines }) =>
    lines.flatMap(([stream, atMs, text]) => (atMs >= sinceMs ? [{ attempt, stream, text, atMs }] : [])),
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
