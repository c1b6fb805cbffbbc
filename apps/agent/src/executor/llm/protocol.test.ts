import { afterEach, describe, expect, it } from "vitest";
import { protocols, startTestExecutor } from "./testing-executor.ts";
import type { Behaviour, TestProvider } from "./testing-provider.ts";

const servers: TestProvider[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function setup(...behaviours: Behaviour[]) {
  const started = await startTestExecutor(...behaviours);
  servers.push(started.server);
  return started;
}

describe.each(protocols)("a call over the protocol of %s", (provider) => {
  it("brings the answer with the provider's usage, and its tokens into the log", async () => {
    const { start, textOf: logged } = await setup({ kind: "answer" });
    expect(await start({ provider }).outcome).toEqual({
      state: "completed",
      result: {
        text: "Hello from afar.",
        finishReason: "stop",
        usage: { inputTokens: 12, outputTokens: 5 },
        model: "test-model",
      },
    });
    expect(logged("token")).toBe("Hello from afar.");
  });

  it("sends system, history, tools and limits", async () => {
    const { start, server } = await setup({ kind: "answer" });
    await start({
      provider,
      system: "Be brief.",
      temperature: 0.5,
      maxOutputTokens: 77,
      tools: [{ name: "look", description: "Looks.", parameters: { type: "object", properties: {} } }],
      messages: [
        { role: "user", text: "Look!" },
        { role: "assistant", text: "", toolCalls: [{ id: "c1", name: "look", arguments: { at: "sky" } }] },
        { role: "tool", callId: "c1", name: "look", result: { seen: "clouds" } },
      ],
    }).outcome;
    const body = JSON.stringify(server.requests[0]?.body);
    for (const part of ["Be brief.", "Look!", "look", "Looks.", "sky", "clouds", "0.5", "77"])
      expect(body).toContain(part);
  });

  it("puts the fragments of a tool call together", async () => {
    const toolCalls = [{ name: "look", fragments: ['{"at":', '"the', ' sky"}'] }];
    const { start } = await setup({ kind: "answer", pieces: [], toolCalls });
    const tools = [{ name: "look", parameters: { type: "object" } }];
    expect(await start({ provider, tools }).outcome).toMatchObject({
      state: "completed",
      result: { text: "", finishReason: "tool_calls", toolCalls: [{ name: "look", arguments: { at: "the sky" } }] },
    });
  });

  it("counts the usage from the texts where the provider does not say it", async () => {
    const { start } = await setup({ kind: "answer", usage: undefined });
    expect(await start({ provider }).outcome).toMatchObject({
      state: "completed",
      result: { usage: { inputTokens: 4, outputTokens: 4, isEstimated: true } },
    });
  });

  it("does not believe a usage below zero", async () => {
    const { start } = await setup({ kind: "answer", usage: { input: -5, output: -1 } });
    expect(await start({ provider }).outcome).toMatchObject({
      state: "completed",
      result: { usage: { inputTokens: 4, outputTokens: 4, isEstimated: true } },
    });
  });

  it("waits as long as a 429 says in seconds", async () => {
    const { start } = await setup({ kind: "status", status: 429, headers: { "retry-after": "7" } });
    expect(await start({ provider }).outcome).toMatchObject({
      state: "failed",
      errorClass: "rate_limited",
      retryAfterMs: 7000,
      details: { status: 429 },
    });
  });

  it("waits as long as a 429 says by a date", async () => {
    const headers = { date: "Sat, 01 Jan 2000 00:00:00 GMT", "retry-after": "Sat, 01 Jan 2000 00:01:30 GMT" };
    const { start } = await setup({ kind: "status", status: 429, headers });
    expect(await start({ provider }).outcome).toMatchObject({ errorClass: "rate_limited", retryAfterMs: 90_000 });
  });

  it.each([
    [500, "provider_unavailable"],
    [503, "provider_unavailable"],
    [529, "provider_unavailable"],
    [408, "provider_unavailable"],
    [400, "provider_refused"],
    [404, "provider_refused"],
    [422, "provider_refused"],
    [307, "provider_refused"],
    [401, "provider_denied"],
    [403, "provider_denied"],
  ])("takes a %d for %s, and asks once only", async (status, errorClass) => {
    const { start, server } = await setup({ kind: "status", status, headers: { location: "/elsewhere" } });
    expect(await start({ provider }).outcome).toMatchObject({ state: "failed", errorClass, details: { status } });
    expect(server.requests).toHaveLength(1);
  });

  it("names the setting to look at when its key is not accepted", async () => {
    const { start } = await setup({ kind: "status", status: 401 });
    const end = await start({ provider }).outcome;
    expect(end).toMatchObject({ message: expect.stringContaining(`DROVER_AGENT_${provider.toUpperCase()}_API_KEY`) });
  });

  it.each([
    ["cut off", { kind: "cut" }, "provider_unavailable"],
    ["left unfinished", { kind: "unfinished" }, "provider_unavailable"],
    ["followed by what is no JSON", { kind: "garbage" }, "provider_malformed"],
  ] as const)("settles what was used by an answer that is %s", async (_, behaviour, errorClass) => {
    const { start } = await setup(behaviour);
    expect(await start({ provider }).outcome).toMatchObject({
      state: "failed",
      errorClass,
      details: { usage: { outputTokens: 4, isEstimated: true } },
    });
  });

  it.each<[string, Behaviour]>([
    ["an empty body", { kind: "empty" }],
    ["an answer without a word", { kind: "answer", pieces: [] }],
  ])("takes %s for an unavailable provider", async (_, behaviour) => {
    const { start } = await setup(behaviour);
    expect(await start({ provider }).outcome).toMatchObject({ state: "failed", errorClass: "provider_unavailable" });
  });

  it("fails for good when the answer was withheld for its content", async () => {
    const { start } = await setup({ kind: "answer", finish: "content_filter" });
    expect(await start({ provider }).outcome).toMatchObject({
      errorClass: "content_filtered",
      details: { usage: { inputTokens: 12 } },
    });
  });

  it("tells what is left of the answer's room when it was too short", async () => {
    const { start } = await setup({ kind: "answer", finish: "length" });
    expect(await start({ provider }).outcome).toMatchObject({ result: { finishReason: "length" } });
  });

  it.each(["silent", "hang"] as const)("ends at once when it is stopped while the provider is %s", async (kind) => {
    const { start, server, log } = await setup({ kind });
    const run = start({ provider });
    await expect.poll(() => server.requests.length === 1 && (kind === "silent" || log.length > 0)).toBe(true);
    expect(await run.stop("cancelled")).toEqual({ gone: true });
    expect(await run.outcome).toMatchObject({ errorClass: "cancelled", details: { usage: { inputTokens: 4 } } });
    await expect.poll(() => server.abandoned).toBe(1);
  });

  it("ends with its timeout", async () => {
    const { start } = await setup({ kind: "hang" });
    expect(await start({ provider }, { timeoutSeconds: 0.2 }).outcome).toMatchObject({ errorClass: "timeout" });
  });

  it("asks for JSON of a form in the provider's own way", async () => {
    const { start, server } = await setup({ kind: "answer", pieces: ['{"city":', '"Rome"}'] });
    const outputSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    expect(await start({ provider, outputSchema }).outcome).toMatchObject({ result: { text: '{"city":"Rome"}' } });
    expect(JSON.stringify(server.requests[0]?.body["messages"] ?? "")).not.toContain("JSON Schema");
    expect(JSON.stringify(server.requests[0]?.body)).toContain('"city"');
  });

  it("asks in words where a provider refuses the form, and remembers it", async () => {
    const body = JSON.stringify({
      type: "error",
      error: { type: "invalid_request_error", message: "response_format is not supported", code: 400, status: "X" },
    });
    const { start, server } = await setup({ kind: "status", status: 400, body }, { kind: "answer" });
    const call = { provider, outputSchema: { type: "object" } };
    expect(await start(call).outcome).toMatchObject({ state: "completed" });
    expect(JSON.stringify(server.requests[1]?.body)).toContain("valid under this JSON Schema");
    await start(call).outcome;
    expect(server.requests).toHaveLength(3);
  });
});
