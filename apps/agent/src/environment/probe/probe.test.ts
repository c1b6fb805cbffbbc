import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Probe } from "@drover/domain/environment/declaration";
import type { Inspection, ServiceEngine } from "../../docker/service-engine.ts";
import { findAddress } from "./address.ts";
import { probe } from "./probe.ts";

const noEngine = {} as ServiceEngine;

/** A container whose address is this machine's. */
const local = {
  containerId: "c",
  inspection: { NetworkSettings: { Networks: { bridge: { IPAddress: "127.0.0.1" } } } } as unknown as Inspection,
};

const make = (how: Probe, timeoutMs = 2000) => probe(noEngine, local, how, timeoutMs);

async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => void open.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const serveHttp = (status: number) =>
  listen(createHttpServer((request, response) => response.writeHead(request.headers["x-key"] ? status : 500).end()));
const serveLine = (line: string) => listen(createServer((socket) => socket.on("data", () => socket.write(line))));

describe("a probe", () => {
  it.each([
    [200, true],
    [302, true],
    [404, false],
    [503, false],
  ])("by HTTP takes %i for healthy: %s", async (status, isHealthy) => {
    const port = await serveHttp(status);
    const how = { kind: "http" as const, port, path: "/", scheme: "http" as const };
    expect(await make({ ...how, headers: { "x-key": "1" } })).toMatchObject({ isHealthy });
    expect(await make(how)).toEqual({ isHealthy: false, message: "Expected an answer from 200 to 399, got 500." });
  });

  it("by address asks as the node does", async () => {
    const port = await listen(createHttpServer((_, response) => response.writeHead(204).end()));
    expect(await make({ kind: "url", url: `http://127.0.0.1:${port}/x` })).toEqual({ isHealthy: true, message: "" });
  });

  it("by TCP asks for a connection alone", async () => {
    const port = await serveLine("");
    expect(await make({ kind: "tcp", port })).toEqual({ isHealthy: true, message: "" });
    expect(await make({ kind: "tcp", port: 1 })).toEqual({
      isHealthy: false,
      message: "connect ECONNREFUSED 127.0.0.1:1",
    });
  });

  it.each([
    ["+PONG\r\n", true],
    ["-NOAUTH Authentication required.\r\n", true],
    ["-LOADING Redis is loading the dataset in memory\r\n", false],
    ["HTTP/1.1 400 Bad Request\r\n", false],
  ])("by Redis reads %j", async (line, isHealthy) => {
    expect(await make({ kind: "redis", port: await serveLine(line) })).toMatchObject({ isHealthy });
  });

  it("by Redis tells of a connection that is closed", async () => {
    const port = await listen(createServer((socket) => socket.end()));
    expect(await make({ kind: "redis", port })).toMatchObject({ isHealthy: false });
  });

  it.each([
    ["", [0x08, 1], "0", true, ""],
    ["shop.v1.Cart", [0x08, 1], "0", true, ""],
    ["", [0x08, 2], "0", false, "Expected SERVING, got NOT_SERVING."],
    ["", [], "0", false, "Expected SERVING, got UNKNOWN."],
    ["", undefined, "12", false, "Expected grpc-status 0, got 12 no such It does not implement grpc.health.v1.Health."],
  ])("by gRPC for service %j reads %j with status %s", async (service, body, code, isHealthy, message) => {
    let asked: Buffer | undefined;
    const server = createHttp2Server();
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      expect(headers[":path"]).toBe("/grpc.health.v1.Health/Check");
      stream.on("data", (chunk: Buffer) => void (asked = chunk));
      stream.on("end", () => {
        if (body === undefined) {
          stream.respond({ ":status": 200, "grpc-status": code, "grpc-message": "no%20such" }, { endStream: true });
          return;
        }
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": code }));
        stream.end(Buffer.from([0, 0, 0, 0, body.length, ...body]));
      });
    });
    const port = await listen(server);
    expect(await make({ kind: "grpc", port, service })).toEqual({ isHealthy, message });
    const message1 = service === "" ? [] : [0x0a, service.length, ...Buffer.from(service)];
    expect([...(asked ?? [])]).toEqual([0, 0, 0, 0, message1.length, ...message1]);
  });

  it.each(["http", "redis", "grpc"] as const)("by %s ends within its time where nobody answers", async (kind) => {
    const port = await listen(createServer(() => undefined));
    const how = kind === "http" ? { kind, port, path: "/", scheme: "http" as const } : { kind, port };
    expect(await make(how, 200)).toEqual({ isHealthy: false, message: "No answer within 0.2 s." });
  });

  it("by a command counts its exit code, and tells the end of its output", async () => {
    const engine = {
      run: async (_: string, [exitCode]: readonly string[]) => ({
        ok: true,
        value: { exitCode: Number(exitCode), output: "not yet\n" },
      }),
    } as unknown as ServiceEngine;
    expect(await probe(engine, local, { kind: "command", command: ["0"] }, 1000)).toMatchObject({ isHealthy: true });
    expect(await probe(engine, local, { kind: "command", command: ["7"] }, 1000)).toEqual({
      isHealthy: false,
      message: "The command ended with exit code 7: not yet",
    });
  });
});

describe("the address of a container's port", () => {
  const settings = (rest: object) => ({ NetworkSettings: rest }) as unknown as Inspection;

  it("is its own, or where it is published", () => {
    const networks = { a: { IPAddress: "" }, b: { IPAddress: "172.18.0.2" } };
    expect(findAddress(settings({ Networks: networks }), 80)).toEqual({ host: "172.18.0.2", port: 80 });
    const ports = { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "32768" }], "81/tcp": null };
    expect(findAddress(settings({ Networks: {}, Ports: ports }), 80)).toEqual({ host: "127.0.0.1", port: 32_768 });
    expect(findAddress(settings({ Ports: ports }), 81)).toBeUndefined();
  });
});
