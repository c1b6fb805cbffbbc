import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** pass: bytes go through after the latency. hole: they vanish, the connections stay. cut: connections are reset and refused. */
export type Weather = "pass" | "hole" | "cut";

/** A TCP proxy before a server, whose weather the test makes. */
export interface Proxy extends AsyncDisposable {
  port: number;
  /** The same URL through the proxy. */
  through(url: string): string;
  turn(weather: Weather): void;
  setLatency(ms: number): void;
}

/** Starts a proxy to a port of this machine, on another of its addresses where namespaces have to reach it. */
export async function startProxy(targetPort: number, { address: host = "127.0.0.1" } = {}): Promise<Proxy> {
  const pairs = new Set<{ near: Socket; far: Socket }>();
  let weather: Weather = "pass";
  let latencyMs = 0;
  const server = createServer((near) => {
    if (weather === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = connect(targetPort, "127.0.0.1");
    const pair = { near, far };
    pairs.add(pair);
    const end = () => {
      // In a hole the other side does not hear of the end either.
      if (weather === "hole") return;
      near.destroy();
      far.destroy();
      pairs.delete(pair);
    };
    const pass = (from: Socket, to: Socket) => {
      from.on("data", (bytes) => {
        if (weather === "hole") return;
        if (latencyMs === 0) to.write(bytes);
        else setTimeout(() => weather === "pass" && to.write(bytes), latencyMs);
      });
      from.on("error", end).on("close", end);
    };
    pass(near, far);
    pass(far, near);
  });
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const drop = () => {
    for (const { near, far } of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    pairs.clear();
  };
  return {
    port,
    through(url) {
      const other = new URL(url);
      other.host = `${host}:${port}`;
      return other.href;
    },
    turn(next) {
      weather = next;
      if (next === "cut") drop();
    },
    setLatency(ms) {
      latencyMs = ms;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      drop();
    },
  };
}
