import { once } from "node:events";
import { connect as connectSocket, createServer } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { connect } from "./connect.ts";
import { findTestEngine } from "./testing.ts";

const engine = await findTestEngine();

describe("connecting to an engine", () => {
  it.each(["", "tcp://host", "ssh://host:22", "/var/run/docker.sock", "http://host:1"])(
    "refuses %j and says what is expected",
    (host) => {
      expect(() => connect({ host })).toThrow(/expected unix:\/\/\/path or tcp:\/\/host:port/);
    },
  );

  it.skipIf(engine.missing !== undefined)("works by socket and by address, whatever DOCKER_HOST says", async () => {
    vi.stubEnv("DOCKER_HOST", "tcp://127.0.0.1:9");
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(String(await connect({ host: engine.host }).ping())).toBe("OK");
    const relay = createServer((client) => {
      const upstream = connectSocket(engine.host.replace("unix://", ""));
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) socket.on("error", () => undefined);
    });
    onTestFinished(() => void relay.close());
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
    const facts = relay.address();
    const port = typeof facts === "object" && facts !== null ? facts.port : 0;
    expect(String(await connect({ host: `tcp://127.0.0.1:${port}` }).ping())).toBe("OK");
  });
});
