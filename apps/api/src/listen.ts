import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";
import { createServer as createTcpServer } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { TlsOptions } from "node:tls";
import { DroverError } from "@drover/domain/error";
import { bind, parseAddress } from "./listen/address.ts";
import type { BoundAddress } from "./listen/address.ts";
import { createCalls } from "./listen/calls.ts";
import { createDispatch } from "./listen/dispatch.ts";
import { createFallback } from "./listen/fallback.ts";
import type { Fetch } from "./listen/fallback.ts";
import { createHttp1 } from "./listen/http1.ts";
import { createHttp2 } from "./listen/http2.ts";
import { defaultLimits } from "./listen/limits.ts";
import type { Limits } from "./listen/limits.ts";
import { sniffProtocol } from "./listen/sniff.ts";

export interface ListenOptions {
  /** `host:port` each; port 0 takes any free one. */
  addresses: readonly string[];
  /** Registers the RPC services. */
  routes: (router: ConnectRouter) => void;
  /** Sizes, compression, interceptors. */
  rpc?: ConnectRouterOptions;
  /** Takes every request that is no RPC. */
  fetch: Fetch;
  /** PEM texts. With `ca`, clients must show a certificate that it signed. */
  tls?: Pick<TlsOptions, "cert" | "key" | "ca">;
  limits?: Partial<Limits>;
  /** Aborted when stop begins; the deadline interceptor needs the same one to end the running streams. */
  draining?: AbortController;
  /** Faults of the transport that no client can be told of. */
  onFault?: (error: unknown) => void;
}

export interface Listener {
  addresses: readonly BoundAddress[];
  /**
   * Takes no new calls, ends the streams, lets unary calls finish, and destroys what is left at the deadline.
   * Returns how many calls that cut off.
   */
  stop: (deadlineMs: number) => Promise<number>;
}

/**
 * Serves RPCs (Connect, gRPC, gRPC-web) and a fetch handler on every address, each port in HTTP/1.1 and HTTP/2:
 * by ALPN under TLS, by the first bytes without.
 */
export async function listen({
  addresses,
  routes,
  rpc = {},
  fetch,
  tls,
  limits: given = {},
  draining = new AbortController(),
  onFault = () => undefined,
}: ListenOptions): Promise<Listener> {
  const limits = { ...defaultLimits, ...given };
  const calls = createCalls(limits.requestTimeoutMs);
  const fallback = createFallback(fetch, limits.maxBodyBytes, onFault);
  const handler = createDispatch({ routes, rpc, fallback, calls, onFault });
  const http1 = createHttp1(handler, limits);
  const http2 = createHttp2(handler, limits);
  const sockets = new Set<Socket>();
  // By peer, not by socket: under TLS the socket that comes out of the handshake is another one than went in.
  const undecided = new Map<string, Socket>();

  const onHttp1 = (socket: Socket): void => {
    undecided.delete(peerOf(socket));
    http1.emit("connection", socket);
  };
  const onHttp2 = (socket: Socket): void => {
    undecided.delete(peerOf(socket));
    // HTTP/1.1 answers a client that has closed its side; HTTP/2 ends with it.
    socket.allowHalfOpen = false;
    http2.server.emit("connection", socket);
  };
  const onSocket = (socket: Socket): void => {
    const peer = peerOf(socket);
    sockets.add(socket);
    undecided.set(peer, socket);
    socket.once("close", () => {
      sockets.delete(socket);
      undecided.delete(peer);
    });
    if (tls === undefined) sniffProtocol(socket, { timeoutMs: limits.prefaceTimeoutMs, onHttp1, onHttp2 });
  };
  const createFront = (): Server => {
    const server =
      tls === undefined
        ? createTcpServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, onSocket)
        : createTlsFront(tls, limits, { onSocket, onHttp1, onHttp2 });
    server.maxConnections = limits.maxConnections;
    return server;
  };

  const fronts: Server[] = [];
  const stopOnce = async (deadlineMs: number): Promise<number> => {
    draining.abort(new DroverError("unavailable", "The server is stopping."));
    const closed = Promise.all(fronts.map(close));
    for (const socket of undecided.values()) socket.destroy();
    // After the turn in which the last call ends: Node calls the connection busy until then.
    const closeIdle = (): void => void setImmediate(() => http1.closeIdleConnections());
    calls.drain(closeIdle);
    closeIdle();
    http2.drain();
    let cut = 0;
    const deadline = setTimeout(() => {
      cut = calls.count();
      for (const socket of sockets) socket.destroy();
    }, deadlineMs);
    await closed;
    clearTimeout(deadline);
    calls.stop();
    http1.close();
    return cut;
  };
  let stopping: Promise<number> | undefined;
  const stop = (deadlineMs: number): Promise<number> => (stopping ??= stopOnce(deadlineMs));

  const bound: BoundAddress[] = [];
  try {
    for (const address of addresses.map(parseAddress)) {
      const front = createFront();
      bound.push(await bind(front, address, tls === undefined ? "http" : "https"));
      front.on("error", onFault);
      fronts.push(front);
    }
  } catch (error) {
    await stop(0);
    throw error;
  }
  return { addresses: bound, stop };
}

interface Sinks {
  onSocket: (socket: Socket) => void;
  onHttp1: (socket: Socket) => void;
  onHttp2: (socket: Socket) => void;
}

function createTlsFront(tls: TlsOptions, limits: Limits, { onSocket, onHttp1, onHttp2 }: Sinks): Server {
  const server = createTlsServer({
    ...tls,
    requestCert: tls.ca !== undefined,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: limits.prefaceTimeoutMs,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
  });
  server.on("connection", onSocket);
  server.on("secureConnection", (socket) => (socket.alpnProtocol === "h2" ? onHttp2(socket) : onHttp1(socket)));
  // A handshake that fails is the client's business, and its socket is closed by then.
  server.on("tlsClientError", () => undefined);
  return server;
}

function peerOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress}:${localPort} ${remoteAddress}:${remotePort}`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
