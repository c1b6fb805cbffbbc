import { createServer } from "node:http2";
import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { NodeHandler } from "./dispatch.ts";
import type { Limits } from "./limits.ts";

export interface Http2Half {
  server: Http2Server;
  /** Tells every client to open nothing more; sessions end with their last call. */
  drain: () => void;
}

const mebibyte = 1024 * 1024;
const pingTimeoutMs = 20_000;

/** The HTTP/2 half: does not listen itself, is given sockets by emit("connection"). */
export function createHttp2(handler: NodeHandler, limits: Limits): Http2Half {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    {
      maxSessionMemory: 64,
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        // The default of 64 KiB stalls a batch of tasks once per round trip.
        initialWindowSize: mebibyte,
      },
    },
    handler,
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(4 * mebibyte);
    watchIdle(session, limits.idleTimeoutMs);
  });
  const drain = (): void => {
    for (const session of sessions) session.close();
  };
  return { server, drain };
}

// A session without calls is closed; one with calls may be silent for hours (a watch), so it is asked for a sign of life.
function watchIdle(session: ServerHttp2Session, idleTimeoutMs: number): void {
  let openStreams = 0;
  session.on("stream", (stream) => {
    openStreams++;
    stream.once("close", () => openStreams--);
  });
  session.setTimeout(idleTimeoutMs, () => {
    if (openStreams === 0) session.close();
    else probe(session);
  });
}

function probe(session: ServerHttp2Session): void {
  const dead = setTimeout(() => session.destroy(), pingTimeoutMs).unref();
  session.once("close", () => clearTimeout(dead));
  if (!session.closed) session.ping(() => clearTimeout(dead));
}
