import { createServer } from "node:http";
import type { Server } from "node:http";
import type { Duplex } from "node:stream";
import type { NodeHandler } from "./dispatch.ts";
import type { Limits } from "./limits.ts";
import { plainAnswer } from "./sniff.ts";

/** The HTTP/1.1 half: does not listen itself, is given sockets by emit("connection"). */
export function createHttp1(handler: NodeHandler, limits: Limits): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.idleTimeoutMs,
      connectionsCheckingInterval: Math.min(limits.headersTimeoutMs, 10_000) / 2,
    },
    handler,
  );
  server.on("clientError", answerClientError);
  // Node starts to watch headersTimeout and requestTimeout when a server listens, which this one never does.
  server.emit("listening");
  return server;
}

const clientErrors: Record<string, readonly [string, string]> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "The header fields of the request are too large.\n"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "The rest of the request did not come in time.\n"],
};
const malformed = [
  "400 Bad Request",
  "Expected an HTTP/1.1 request or the HTTP/2 preface, got something else.\n",
] as const;

function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, text] = clientErrors[error.code ?? ""] ?? malformed;
  socket.end(plainAnswer(status, text));
  // The client may go on sending for ever: nothing more is read from it.
  setTimeout(() => socket.destroy(), 1000).unref();
}
