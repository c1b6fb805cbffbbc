import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@drover/daemon/backoff";
import type { Log } from "@drover/daemon/log";
import type { NodeReply } from "@drover/db/node/replica";
import { DroverError } from "@drover/domain/error";

export interface ReplyPart {
  requestId: string;
  chunk: number;
  body: NodeReply;
  isLast: boolean;
}

/** Hands a part of an answer to the control plane. */
export type SendReply = (part: ReplyPart) => Promise<"taken" | "full" | "unwanted">;

/** The answer to one request, sent part by part. */
export interface Answer {
  /** Resolves when the part is stored, or when nobody waits for it any more; whoever has more to say waits for it. */
  send(body: NodeReply): Promise<void>;
  end(body: NodeReply): Promise<void>;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  stop(): void;
}

export interface AnswerOptions {
  requestId: string;
  firstChunk: number;
  send: SendReply;
  log: Log;
  /** An answer that has nothing to say asks so often whether anybody waits. */
  aliveMs?: number;
}

const firstAliveMs = 2000;
const fullMs = { base: 50, cap: 1000 };

/**
 * Sends parts one after the other. A database that is away, and a reader who is slow, make the sender wait: nothing
 * gathers here.
 */
export function createAnswer({ requestId, firstChunk, send, log, aliveMs = 10_000 }: AnswerOptions): Answer {
  const stopping = new AbortController();
  const { signal } = stopping;
  let chunk = firstChunk;
  let sending = Promise.resolve();
  let timer = setTimeout(tellAlive, Math.min(firstAliveMs, aliveMs));

  function tellAlive(): void {
    void queue({ isAlive: true }, false);
  }
  function queue(body: NodeReply, isLast: boolean): Promise<void> {
    clearTimeout(timer);
    sending = sending.then(() => store(body, isLast));
    return sending;
  }
  async function store(body: NodeReply, isLast: boolean): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const outcome = await trySend({ requestId, chunk, body, isLast });
      if (outcome === "taken") {
        chunk += 1;
        clearTimeout(timer);
        if (!isLast) timer = setTimeout(tellAlive, aliveMs);
        return;
      }
      if (outcome === "unwanted") return stop();
      failures += 1;
      const waitMs = backoffMs(failures, { baseMs: fullMs.base, capMs: fullMs.cap });
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
  async function trySend(part: ReplyPart): Promise<"taken" | "full" | "unwanted" | "away"> {
    try {
      return await send(part);
    } catch (error) {
      if (error instanceof DroverError && error.reason === "unavailable") return "away";
      log.error({ error, request: requestId }, "a part of an answer was refused; the request is given up");
      return "unwanted";
    }
  }
  function stop(): void {
    clearTimeout(timer);
    stopping.abort();
  }

  return {
    send: (body) => queue(body, false),
    end: async (body) => {
      await queue(body, true);
      stop();
    },
    signal,
    stop,
  };
}
