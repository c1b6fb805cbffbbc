import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import fc from "fast-check";
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { startTestServer } from "./testing.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const callPath = "/orchestrator.v1.OrchestratorService/SubmitTask";

/** Sends bytes as they are; resolves with all that came back once the server has closed. */
function exchange(port: number, chunks: (string | Buffer)[], isEnding = false): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
    socket.on("end", () => socket.end());
    socket.on("connect", () => {
      for (const chunk of chunks) socket.write(chunk);
      if (isEnding) socket.end();
    });
  });
}

async function expectAlive(url: string): Promise<void> {
  const client = createClient(OrchestratorService, createGrpcTransport({ baseUrl: url }));
  expect(await client.health({})).toMatchObject({ healthy: true });
}

describe("malformed input", () => {
  it("answers bytes that are no HTTP, and bad requests, with a sentence", async () => {
    const { port, url } = await startTestServer();
    expect(await exchange(port, ["no http at all\r\n\r\n"])).toMatch(/^HTTP\/1.1 400 .*Expected an HTTP\/1.1 request/s);
    expect(await exchange(port, [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1])])).toMatch(/^HTTP\/1.1 400/);
    expect(await exchange(port, ["GET / HTTP/1.1\r\n\r\n"])).toMatch(/^HTTP\/1.1 400/);
    const large = `GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${"x".repeat(20_000)}\r\n\r\n`;
    expect(await exchange(port, [large])).toMatch(/^HTTP\/1.1 431 .*too large/s);
    await expectAlive(url);
  });

  it("survives a call whose host is missing or no host", async () => {
    const { port, url } = await startTestServer();
    const body = "Connection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    expect(await exchange(port, [`POST ${callPath} HTTP/1.0\r\n${body}`])).toMatch(/^HTTP\/1.1 400 .*Expected a Host/s);
    expect(await exchange(port, [`POST ${callPath} HTTP/1.1\r\nHost: [x\r\n${body}`])).toMatch(
      /^HTTP\/1.1 400 .*Expected a Host/s,
    );
    expect(await exchange(port, [`GET / HTTP/1.1\r\nHost: [x\r\nConnection: close\r\n\r\n`])).toMatch(/^HTTP\/1.1 400/);
    await expectAlive(url);
  });

  it("answers half a preface, and knows the preface in single bytes", async () => {
    const { port, url } = await startTestServer({ limits: { prefaceTimeoutMs: 300 } });
    const half = "Expected a whole request, got 11 byte(s) of the HTTP/2 preface.";
    expect(await exchange(port, [preface.subarray(0, 11)], true)).toContain(half);
    expect(await exchange(port, [preface.subarray(0, 11)])).toMatch(/^HTTP\/1.1 408 .*in time, got 11 byte/s);
    expect(await exchange(port, [])).toBe("");
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    const bytes = [...preface].map((byte) => Buffer.from([byte]));
    const answer = await exchange(port, [...bytes, settings], true);
    // The first frame of a server is SETTINGS, type 4 in the fourth byte.
    expect(answer.charCodeAt(3)).toBe(4);
    await expectAlive(url);
  });

  it("cuts off headers and bodies that do not come", async () => {
    const limits = { headersTimeoutMs: 200, requestTimeoutMs: 400 };
    const { port, url } = await startTestServer({ limits });
    expect(await exchange(port, ["GET / HTTP/1.1\r\nHost: a\r\nX-Slow:"])).toMatch(/^HTTP\/1.1 408/);
    const stalled = `POST ${callPath} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`;
    expect(await exchange(port, [stalled])).toMatch(/^HTTP\/1.1 (408|4..)/);
    const session = connectHttp2(url);
    const stream = session.request(
      { ":method": "POST", ":path": callPath, "content-type": "application/grpc" },
      { endStream: false },
    );
    stream.on("error", () => undefined);
    await new Promise((resolve) => stream.once("close", resolve));
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    session.destroy();
    await expectAlive(url);
  });

  it("closes an HTTP/2 connection that has been idle, not one with a silent stream", async () => {
    const { url } = await startTestServer({ limits: { idleTimeoutMs: 100 } });
    const watching = connectHttp2(url);
    const path = "/orchestrator.v1.OrchestratorService/StreamEvents";
    const stream = watching.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
    stream.on("error", () => undefined);
    stream.end(Buffer.alloc(5));
    await new Promise((resolve) => stream.once("response", resolve));
    const idle = connectHttp2(url);
    await new Promise((resolve) => idle.once("close", resolve));
    expect(idle.destroyed).toBe(true);
    expect(watching.destroyed).toBe(false);
    watching.destroy();
  });

  it("refuses frames that break the protocol of gRPC", async () => {
    const { url } = await startTestServer();
    const session = connectHttp2(url);
    const cases: [Buffer, RegExp, number?][] = [
      [Buffer.from([0, 0, 0, 0, 9, 1]), /premature end of stream|incomplete|protocol error/i],
      [Buffer.from([0, 255, 255, 255, 255, 1]), /larger than|premature|max/i],
      [Buffer.from([1, 0, 0, 0, 1, 1]), /compress/i],
      [Buffer.from([0, 0, 0, 0, 2, 10, 9]), /parse binary/, Code.InvalidArgument],
      [Buffer.alloc(0), /missing/],
    ];
    for (const [body, expected, code] of cases) {
      const stream = session.request({ ":method": "POST", ":path": callPath, "content-type": "application/grpc" });
      const trailers = new Promise<Record<string, unknown>>((resolve) => stream.once("trailers", resolve));
      stream.resume().end(body);
      const { "grpc-status": status, "grpc-message": message } = await trailers;
      expect(Number(status)).toBeGreaterThan(0);
      if (code !== undefined) expect(Number(status)).toBe(code);
      expect(decodeURIComponent(String(message))).toMatch(expected);
    }
    session.destroy();
    await expectAlive(url);
  });

  it("stays up whatever bytes come, after the preface or without it", async () => {
    const { port, url, faults } = await startTestServer({ limits: { prefaceTimeoutMs: 500, idleTimeoutMs: 500 } });
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((array) => Buffer.from(array));
    const start = fc.constantFrom(Buffer.alloc(0), preface, Buffer.from("POST / HTTP/1.1\r\n"));
    await fc.assert(
      fc.asyncProperty(start, bytes, async (head, tail) => {
        expect(typeof (await exchange(port, [head, tail], true))).toBe("string");
      }),
      { numRuns: 60 },
    );
    expect(faults).toEqual([]);
    await expectAlive(url);
  }, 30_000);
});
