import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { DroverError } from "@drover/domain/error";
import { createStatusPage } from "./status-page.ts";

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function setup(ok: boolean) {
  const port = await freePort();
  const page = createStatusPage({
    addresses: [{ host: "127.0.0.1", port }],
    metrics: { contentType: "text/plain", expose: async () => "drover_agent_leased 1\n" },
    health: () => ({ ok, body: { status: ok ? "healthy" : "unhealthy", service: "agent" } }),
  });
  await page.start();
  opened.push(() => page.stop(AbortSignal.timeout(1000)));
  return { port, get: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init) };
}

describe("status page", () => {
  it("answers health and metrics", async () => {
    const { get } = await setup(true);
    const health = await get("/health");
    expect([health.status, await health.json()]).toEqual([200, { status: "healthy", service: "agent" }]);
    expect(await (await get("/metrics")).text()).toBe("drover_agent_leased 1\n");
  });

  it("says 503 without a lease", async () => {
    const { get } = await setup(false);
    expect((await get("/health")).status).toBe(503);
  });

  it("knows no other path and no other method", async () => {
    const { get } = await setup(true);
    expect((await get("/other")).status).toBe(404);
    expect((await get("/health", { method: "POST" })).status).toBe(405);
  });

  it("says what to do when its address is taken", async () => {
    const { port } = await setup(true);
    const second = createStatusPage({
      addresses: [{ host: "127.0.0.1", port }],
      metrics: { contentType: "text/plain", expose: async () => "" },
      health: () => ({ ok: true, body: {} }),
    });
    const fault = await second.start().catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DroverError);
    expect(fault).toMatchObject({ facts: { hint: "Set DROVER_AGENT_LISTEN to a free address." } });
  });
});
