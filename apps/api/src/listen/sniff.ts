import type { Socket } from "node:net";

export interface SniffOptions {
  timeoutMs: number;
  onHttp1: (socket: Socket) => void;
  onHttp2: (socket: Socket) => void;
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/**
 * Finds out which HTTP a new connection speaks, without TLS there is nothing else that tells: collects bytes until they
 * differ from the preface of HTTP/2 or complete it, puts them back, and hands the socket on. A client that is too slow
 * is told so and cut off. A client that closes first is answered, if it had begun the preface.
 */
export function sniffProtocol(socket: Socket, { timeoutMs, onHttp1, onHttp2 }: SniffOptions): void {
  let seen: Buffer = Buffer.alloc(0);
  const slow = setTimeout(
    () => refuse(socket, "408 Request Timeout", seen, "the rest of a request in time"),
    timeoutMs,
  );
  const leave = (): void => {
    clearTimeout(slow);
    socket.off("data", onData).off("end", onEnd).off("close", leave);
  };
  const onEnd = (): void => {
    leave();
    refuse(socket, "400 Bad Request", seen, "a whole request");
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, preface.length);
    const isPreface = seen.compare(preface, 0, compared, 0, compared) === 0;
    if (isPreface && compared < preface.length) return;
    leave();
    socket.pause();
    socket.unshift(seen);
    if (isPreface) onHttp2(socket);
    else {
      onHttp1(socket);
      socket.resume();
    }
  };
  // Resets are the client's business; without a listener they would end the process.
  socket.on("error", () => undefined);
  socket.on("data", onData).on("end", onEnd).on("close", leave);
}

function refuse(socket: Socket, status: string, seen: Buffer, expected: string): void {
  // Browsers open connections ahead of need: an answer to nothing would be taken for one to their next request.
  if (seen.length === 0) socket.destroy();
  else socket.end(plainAnswer(status, `Expected ${expected}, got ${seen.length} byte(s) of the HTTP/2 preface.\n`));
  setTimeout(() => socket.destroy(), 1000).unref();
}

/** An HTTP/1.1 answer for connections that never became a request. */
export function plainAnswer(status: string, text: string): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`;
}
