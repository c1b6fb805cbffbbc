import { afterEach, describe, expect, it } from "vitest";
import { createProviderFetch } from "./provider-fetch.ts";
import { type Behaviour, startTestProvider, type TestProvider } from "./testing-provider.ts";

const servers: TestProvider[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function setup(behaviour: Behaviour) {
  const server = await startTestProvider(() => behaviour);
  servers.push(server);
  return {
    server,
    send: (maxBytes: number) => createProviderFetch({ maxBytes })(server.url, { method: "POST", body: "{}" }),
  };
}

describe("createProviderFetch", () => {
  it("cuts off an answer that grows past the bound, and closes its connection", async () => {
    const { send, server } = await setup({ kind: "hang", pieces: ["x".repeat(5000)] });
    const response = await send(1000);
    await expect(response.text()).rejects.toThrow("at most 1000 bytes");
    await expect.poll(() => server.abandoned).toBe(1);
  });

  it("hands on an answer within the bound as it is", async () => {
    const { send } = await setup({ kind: "status", status: 418, body: "short", headers: { "x-tea": "green" } });
    const response = await send(1000);
    expect([response.status, response.headers.get("x-tea"), await response.text()]).toEqual([418, "green", "short"]);
  });

  it("does not follow redirects", async () => {
    const { send, server } = await setup({ kind: "status", status: 307, headers: { location: "/elsewhere" } });
    expect((await send(1000)).status).toBe(307);
    expect(server.requests).toHaveLength(1);
  });
});
