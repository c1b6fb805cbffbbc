import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import { DroverError } from "@drover/domain/error";
import { Health } from "@drover/proto/grpc/health/v1/health";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { describe, expect, it, onTestFinished } from "vitest";
import { listen } from "./listen.ts";
import { startTestServer } from "./listen/testing.ts";

const transports: Record<string, (baseUrl: string) => Transport> = {
  "connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "connect JSON over HTTP/2": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  "gRPC over HTTP/2": (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-web over HTTP/2": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "connect-web": (baseUrl) => web.createConnectTransport({ baseUrl }),
  "gRPC-web of connect-web": (baseUrl) => web.createGrpcWebTransport({ baseUrl }),
};

describe.each(Object.entries(transports))("one port, %s", (_, createTransport) => {
  async function setup() {
    const server = await startTestServer();
    return { server, client: createClient(OrchestratorService, createTransport(server.url)) };
  }

  it("answers a unary call and carries metadata both ways", async () => {
    const { client } = await setup();
    let tenant: string | null = null;
    const onHeader = (header: Headers): void => void (tenant = header.get("x-tenant"));
    expect(await client.health({}, { headers: { "x-tenant": "a" }, onHeader })).toMatchObject({ healthy: true });
    expect(tenant).toBe("a");
  });

  it("streams and ends", async () => {
    const { client } = await setup();
    const ids: string[] = [];
    for await (const { taskId } of client.streamTaskResults({ taskIds: ["a", "b", "c"] })) ids.push(taskId);
    expect(ids).toEqual(["a", "b", "c"]);
  });

  it("ends a call at its deadline though the handler never answers", async () => {
    const { client, server } = await setup();
    const error = await client.submitTask({ id: "slow" }, { timeoutMs: 50 }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.DeadlineExceeded });
    // The client hangs up at the same moment: the server may see either first.
    await expect.poll(() => server.observed.map(({ code }) => code)).toHaveLength(1);
    expect(["deadline_exceeded", "canceled"]).toContain(server.observed[0]?.code);
  });

  it("tells the handler when the reader of a stream leaves", async () => {
    const { client, server } = await setup();
    const leave = new AbortController();
    const stream = client.streamEvents({}, { signal: leave.signal })[Symbol.asyncIterator]();
    expect((await stream.next()).value).toMatchObject({ eventType: "task_submitted" });
    leave.abort();
    await expect(stream.next()).rejects.toMatchObject({ code: Code.Canceled });
    expect(await server.eventsAborted).toBeInstanceOf(ConnectError);
    await expect.poll(() => server.observed.map(({ code }) => code)).toEqual(["canceled"]);
    expect(server.faults).toEqual([]);
  });

  it("names the reason of a refusal and hides the text of an unknown error", async () => {
    const { client, server } = await setup();
    const full = ConnectError.from(await client.submitTask({ id: "full" }).catch((error: unknown) => error));
    expect(full).toMatchObject({ code: Code.ResourceExhausted, rawMessage: "The queue is full." });
    expect(full.metadata.get("retry-after")).toBe("2");
    const broken = ConnectError.from(await client.submitTask({ id: "broken" }).catch((error: unknown) => error));
    expect(broken.code).toBe(Code.Internal);
    expect(broken.message).not.toContain("secret");
    const requestId = broken.metadata.get("x-request-id");
    expect(broken.message).toContain(requestId);
    expect(String(server.observed.find((call) => call.requestId === requestId)?.error)).toContain("secret");
  });
});

describe("stop", () => {
  it("lets unary calls finish, ends streams as unavailable, and takes no new connections", async () => {
    const server = await startTestServer();
    const client = createClient(OrchestratorService, createGrpcTransport({ baseUrl: server.url }));
    const http1 = createClient(
      OrchestratorService,
      createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }),
    );
    const stream = client.streamEvents({})[Symbol.asyncIterator]();
    await stream.next();
    const endless = http1.streamTaskResults({})[Symbol.asyncIterator]();
    await endless.next();
    const unary = Promise.all([client.getMetrics({}), http1.getMetrics({})]);
    await expect.poll(server.waitingMetrics).toBe(2);

    const stopped = server.listener.stop(5000);
    await expect(stream.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(drain(endless)).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(fetch(server.url)).rejects.toThrow("fetch failed");
    server.releaseMetrics();
    const [overGrpc, overHttp1] = await unary;
    expect([overGrpc.metrics, overHttp1.metrics]).toEqual([{ tasks_pending: 3 }, { tasks_pending: 3 }]);
    expect(await stopped).toBe(0);
  });

  it("destroys at the deadline what does not end, and says how much", async () => {
    const server = await startTestServer();
    const client = createClient(OrchestratorService, createGrpcTransport({ baseUrl: server.url }));
    const unary = client.getMetrics({}).catch(ConnectError.from);
    await expect.poll(server.waitingMetrics).toBe(1);
    expect(await server.listener.stop(50)).toBe(1);
    expect(await unary).toBeInstanceOf(ConnectError);
  });

  it("tells health watchers that the server does not serve any more, before their stream ends", async () => {
    const server = await startTestServer();
    const client = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
    const watch = client.watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: 1 });
    server.states.set("not_serving");
    const stopped = server.listener.stop(5000);
    expect((await watch.next()).value).toMatchObject({ status: 2 });
    await expect(watch.next()).rejects.toMatchObject({ code: Code.Unavailable });
    expect(await stopped).toBe(0);
  });

  it("does not wait for connections without calls", async () => {
    const server = await startTestServer();
    const client = createClient(OrchestratorService, createGrpcTransport({ baseUrl: server.url }));
    await client.health({});
    await (await fetch(server.url)).text();
    expect(await server.listener.stop(60_000)).toBe(0);
  });
});

describe("addresses", () => {
  const options = { routes: () => undefined, fetch: () => new Response("ok") };

  it("serves any number of them", async () => {
    const listener = await listen({ ...options, addresses: ["127.0.0.1:0", "[::1]:0"] });
    onTestFinished(async () => void (await listener.stop(100)));
    const texts = await Promise.all(listener.addresses.map(async ({ url }) => (await fetch(url)).text()));
    expect(texts).toEqual(["ok", "ok"]);
  });

  it("names the address that is taken and what to do, and lets go of the others", async () => {
    const { port } = await startTestServer();
    const other = await listen({ ...options, addresses: ["127.0.0.1:0"] });
    const free = other.addresses[0]?.port;
    await other.stop(100);
    const attempt = listen({ ...options, addresses: [`127.0.0.1:${free}`, `127.0.0.1:${port}`] });
    const error = await attempt.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DroverError);
    expect(error).toMatchObject({
      reason: "conflict",
      message: `Cannot listen on 127.0.0.1:${port}: another process listens there.`,
      facts: { hint: expect.stringContaining("DROVER_LISTEN") },
    });
    const again = await listen({ ...options, addresses: [`127.0.0.1:${free}`] });
    expect(await again.stop(100)).toBe(0);
  });
});

async function drain(iterator: AsyncIterator<unknown>): Promise<void> {
  while ((await iterator.next()).done !== true);
}
