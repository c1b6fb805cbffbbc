import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connect as connectTls } from "node:tls";
import { expect, it } from "vitest";
import { startTestServer } from "./testing.ts";

const run = promisify(execFile);

async function setup(isMutual = false) {
  const folder = await mkdtemp(join(tmpdir(), "drover-tls-"));
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  await run("openssl", ["req", "-x509", ...kind, ...subject, ...files]);
  const key = await readFile(join(folder, "key.pem"), "utf8");
  const cert = await readFile(join(folder, "cert.pem"), "utf8");
  await rm(folder, { recursive: true });
  const server = await startTestServer({ tls: { key, cert, ...(isMutual ? { ca: cert } : {}) } });
  return { server, key, cert };
}

it("speaks HTTP/2 and HTTP/1.1 under TLS, chosen by ALPN, and stops with both open", async () => {
  const { server, cert } = await setup();
  expect(server.url).toMatch(/^https:/);
  const nodeOptions = { ca: cert };
  const grpc = createClient(OrchestratorService, createGrpcTransport({ baseUrl: server.url, nodeOptions }));
  const http1 = createClient(
    OrchestratorService,
    createConnectTransport({ baseUrl: server.url, httpVersion: "1.1", nodeOptions }),
  );
  expect(await grpc.health({})).toMatchObject({ healthy: true });
  expect(await http1.health({})).toMatchObject({ healthy: true });
  const withoutAlpn = connectTls({ port: server.port, host: "127.0.0.1", ca: cert });
  const answer = new Promise<string>((resolve) => withoutAlpn.once("data", (chunk) => resolve(String(chunk))));
  withoutAlpn.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(await answer).toMatch(/^HTTP\/1.1 200/);

  const unary = Promise.all([grpc.getMetrics({}), http1.getMetrics({})]);
  await expect.poll(server.waitingMetrics).toBe(2);
  const stopped = server.listener.stop(5000);
  server.releaseMetrics();
  expect(await unary).toHaveLength(2);
  expect(await stopped).toBe(0);
});

it("cuts off handshakes that do not come, and survives what is no TLS", async () => {
  const { server, cert } = await setup();
  const socket = connectTcp({ port: server.port, host: "127.0.0.1" });
  socket.on("error", () => undefined).write("GET / HTTP/1.1\r\n\r\n");
  await new Promise((resolve) => socket.once("close", resolve));
  const silent = connectTcp({ port: server.port, host: "127.0.0.1" });
  await new Promise((resolve) => silent.once("connect", resolve));
  const grpc = createClient(
    OrchestratorService,
    createGrpcTransport({ baseUrl: server.url, nodeOptions: { ca: cert } }),
  );
  expect(await grpc.health({})).toMatchObject({ healthy: true });
  expect(await server.listener.stop(60_000)).toBe(0);
});

it("asks clients for a certificate when an authority is given", async () => {
  const { server, key, cert } = await setup(true);
  const known = createGrpcTransport({ baseUrl: server.url, nodeOptions: { ca: cert, key, cert } });
  expect(await createClient(OrchestratorService, known).health({})).toMatchObject({ healthy: true });
  const unknown = createGrpcTransport({ baseUrl: server.url, nodeOptions: { ca: cert } });
  await expect(createClient(OrchestratorService, unknown).health({})).rejects.toBeInstanceOf(ConnectError);
});
