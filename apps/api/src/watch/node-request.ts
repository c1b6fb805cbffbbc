import type { Database } from "@drover/db/client";
import type { Wakeups } from "@drover/db/listen";
import type { NodeReply } from "@drover/db/node/replica";
import {
  askNodes,
  dropRequests,
  extendRequests,
  type NodeQuestion,
  readReplies,
  type ReadReply,
} from "@drover/db/query/node-request";
import { DroverError } from "@drover/domain/error";
import { createBell } from "./bell.ts";
import { awayFault, cutFault, lostFault, silentFault } from "./node-fault.ts";

export interface AskDeps {
  db: Database;
  wakeups: Wakeups;
}

export interface AskOptions {
  /** Ends the asking; nothing is thrown then. */
  signal: AbortSignal;
  /** How long a node may take to begin its answer. */
  beginMs?: number;
  /** How long a node that began may say nothing, and how long it may be without a lease. */
  silenceMs?: number;
}

export type Answer = Exclude<NodeReply, { isAlive: true } | { error: string }>;

/** A part of an answer, or why there is none (further): the number is that of the question. */
export type NodeAnswer = { question: number; node: string } & ({ body: Answer } | { fault: DroverError });

/**
 * Asks nodes and yields what they answer, in order for each and as it comes among them, until all have said their last
 * word or the reader leaves. All that is known of it lies in the database: rows that the nodes read and answer, that are
 * extended while the reader is here, and that end with it. A slow reader holds the nodes back, not memory.
 */
export async function* ask(
  { db, wakeups }: AskDeps,
  questions: readonly NodeQuestion[],
  { signal, beginMs = 12_000, silenceMs = 30_000 }: AskOptions,
): AsyncGenerator<NodeAnswer> {
  if (questions.length === 0) return;
  const asked = await db.transaction((tx) => askNodes(tx, questions, ttlSeconds));
  const open = new Map<string, Asked>();
  for (const [question, { id, node }] of asked.entries()) if (id !== null) open.set(id, createAsked(question, node));
  const ids = [...open.keys()];
  const bell = createBell({ wakeups, hints: ids.map((id) => `reply:${id}`), signal });
  // By a timer, since a reader may take its time with one part.
  const extending = setInterval(() => {
    extendRequests(db, [...open.keys()], ttlSeconds).catch(() => {}); // The next one is in time still.
  }, extendMs);
  try {
    for (const [question, { id, node, away_seconds }] of asked.entries())
      if (id === null) yield { question, node, fault: awayFault(node, away_seconds) };
    let unreadMs = pollMs.least;
    while (open.size > 0 && !signal.aborted) {
      let isQuiet = true;
      for (const reply of await read(db, open, signal)) {
        const one = open.get(reply.id);
        if (one === undefined) continue;
        const { question, node } = one;
        for (const part of one.take(reply)) {
          isQuiet = false;
          if (part.isLast) open.delete(reply.id);
          if ("error" in part.body) yield { question, node, fault: new DroverError(part.body.reason, part.body.error) };
          else if (!("isAlive" in part.body)) yield { question, node, body: part.body };
        }
        const fault = open.has(reply.id) ? one.judge(reply, beginMs, silenceMs) : undefined;
        if (fault === undefined) continue;
        open.delete(reply.id);
        yield { question, node, fault };
      }
      if (!isQuiet) unreadMs = pollMs.least;
      else if (open.size > 0) {
        await bell.wait(wakeups.isListening ? pollMs.listening : unreadMs);
        unreadMs = Math.min(pollMs.most, unreadMs * 2);
      }
    }
  } finally {
    clearInterval(extending);
    bell.close();
    // Where this fails, the rows die at their time.
    if (ids.length > 0) await db.transaction((tx) => dropRequests(tx, ids)).catch(() => {});
  }
}

const ttlSeconds = 30;
const extendMs = 10_000;
const partsAtOnce = 4;
const pollMs = { listening: 2000, least: 50, most: 1000 };

interface Asked {
  question: number;
  node: string;
  lastChunk: number;
  /** The parts that come next, without a gap. */
  take(reply: ReadReply): Generator<ReadReply["parts"][number]>;
  /** Why no further part is to be expected. */
  judge(reply: ReadReply, beginMs: number, silenceMs: number): DroverError | undefined;
}

function createAsked(question: number, node: string): Asked {
  let heardAt = performance.now();
  let liveAt = heardAt;
  return {
    question,
    node,
    lastChunk: -1,
    *take({ parts }) {
      for (const part of parts) {
        if (part.chunk !== this.lastChunk + 1) return;
        this.lastChunk = part.chunk;
        yield part;
        heardAt = performance.now();
      }
    },
    judge({ is_open, is_live, parts }, beginMs, silenceMs) {
      const now = performance.now();
      if (is_live || parts.length > 0) liveAt = now;
      if (parts.length > 0) return undefined;
      if (!is_open) return cutFault(node);
      // Leases of all nodes end while the database is away: each gets time to come back.
      if (now - liveAt > Math.min(beginMs, silenceMs)) return lostFault(node);
      const isBegun = this.lastChunk >= 0;
      return now - heardAt > (isBegun ? silenceMs : beginMs)
        ? silentFault(node, isBegun ? silenceMs : beginMs, isBegun)
        : undefined;
    },
  };
}

/** A database that is away for a moment is no reason to end an answer. */
async function read(db: Database, open: ReadonlyMap<string, Asked>, signal: AbortSignal): Promise<ReadReply[]> {
  const requests = [...open].map(([id, { lastChunk }]) => ({ id, lastChunk }));
  const until = performance.now() + ttlSeconds * 1000;
  for (;;) {
    try {
      return await readReplies(db, requests, partsAtOnce);
    } catch (error) {
      const isAway = error instanceof DroverError && error.reason === "unavailable";
      if (!isAway || signal.aborted || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
