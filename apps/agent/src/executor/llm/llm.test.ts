import { afterEach, describe, expect, it } from "vitest";
import type { LlmCall } from "@drover/domain/workflow/llm-call";
import type { Execution } from "@drover/domain/execution";
import type { RunRequest } from "../executor.ts";
import { createLlmExecutor } from "./llm.ts";
import type { ProviderConfig } from "./provider-config.ts";
import { type Behaviour, startTestProvider, type TestProvider } from "./testing-provider.ts";

const key = "sk-test-0123456789abcdef";
const protocols = ["openai", "anthropic", "google"] as const;
const servers: TestProvider[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function setup(...behaviours: Behaviour[]) {
  let number = 0;
  const server = await startTestProvider(
    () => behaviours[Math.min(number++, behaviours.length - 1)] ?? { kind: "empty" },
  );
  servers.push(server);
  const providers: ProviderConfig[] = protocols.map((protocol) => ({
    name: protocol,
    protocol,
    key,
    keySetting: `DROVER_AGENT_${protocol.toUpperCase()}_API_KEY`,
    baseUrl: `${server.url}/v1`,
  }));
  const executor = createLlmExecutor({ providers: [...providers, echo] });
  const log: { stream: string; text: string }[] = [];
  const sink = { write: (stream: string, text: string) => void log.push({ stream, text }) };
  const start = (call: Partial<LlmCall> = {}, request: Partial<RunRequest> = {}) =>
    executor.start({ ...requestOf({ ...usual, ...call }), ...request }, sink);
  return { server, start, log, textOf: (stream: string) => textOf(log, stream) };
}

const echo: ProviderConfig = { name: "echo", protocol: "echo", keySetting: "DROVER_AGENT_LLM_ECHO" };
const usual: LlmCall = {
  provider: "openai",
  model: "test-model",
  messages: [{ role: "user", text: "Where are you?" }],
  inputTokens: 10,
  charge: {},
};

const textOf = (log: { stream: string; text: string }[], stream: string) =>
  log.flatMap((line) => (line.stream === stream ? [line.text] : [])).join("");

function requestOf(call: LlmCall): RunRequest {
  return {
    taskKey: "1",
    fence: "1",
    attempt: 1,
    taskId: "task-1",
    namespace: "default",
    class: "llm",
    execution: call as unknown as Execution,
    payload: null,
    timeoutSeconds: 20,
  };
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

describe("an executor of calls", () => {
  it("takes its room from the call, then from its grant, then 1024 tokens", async () => {
    const { start, server } = await setup({ kind: "answer" });
    await start({ maxOutputTokens: 5 }, { grant: { maxOutputTokens: 6 } }).outcome;
    await start({}, { grant: { maxOutputTokens: 6 } }).outcome;
    await start().outcome;
    expect(server.requests.map(({ body }) => body["max_tokens"])).toEqual([5, 6, 1024]);
  });

  it("tells the provider's limits with the answer", async () => {
    const headers = {
      "x-ratelimit-remaining-requests": "9",
      "x-ratelimit-limit-requests": "10",
      "x-ratelimit-remaining-tokens": "10",
      "x-ratelimit-limit-tokens": "1000",
      "x-ratelimit-reset-requests": "1s",
      "x-ratelimit-reset-tokens": "6m0s",
    };
    const { start } = await setup({ kind: "answer", headers });
    expect(await start().outcome).toMatchObject({
      result: { rateLimit: { remainingRequests: 9, remainingTokens: 10, resetMs: 360_000 } },
    });
  });

  it("reports arguments of a tool call that are no JSON as they came", async () => {
    const toolCalls = [{ name: "look", fragments: ['{"at": sky'] }];
    const { start } = await setup({ kind: "answer", pieces: [], toolCalls });
    expect(await start({ tools: [{ name: "look", parameters: {} }] }).outcome).toMatchObject({
      result: { toolCalls: [{ arguments: '{"at": sky', fault: expect.stringContaining("Expected JSON") }] },
    });
  });

  it("gives back what the provider wants to see again of its tool calls", async () => {
    const toolCalls = [{ name: "look", fragments: ["{}"] }];
    const { start, server } = await setup({ kind: "answer", pieces: [], toolCalls });
    const tools = [{ name: "look", parameters: { type: "object" } }];
    const end = await start({ provider: "google", tools }).outcome;
    const calls = end.state === "completed" ? (end.result.toolCalls ?? []) : [];
    const messages: LlmCall["messages"] = [
      ...usual.messages,
      { role: "assistant", text: "", toolCalls: calls },
      { role: "tool", callId: calls[0]?.id ?? "", name: "look", result: 1 },
    ];
    await start({ provider: "google", tools, messages }).outcome;
    expect(JSON.stringify(server.requests[1]?.body)).toContain('"thoughtSignature":"signed"');
  });

  it("takes an empty account for a denial, which no waiting mends", async () => {
    const body = JSON.stringify({
      error: { message: "quota", type: "insufficient_quota", code: "insufficient_quota" },
    });
    const { start } = await setup({ kind: "status", status: 429, body });
    expect(await start().outcome).toMatchObject({ errorClass: "provider_denied" });
  });

  it("takes an address where nobody listens for an unavailable provider", async () => {
    const { start, server } = await setup({ kind: "answer" });
    await server.stop();
    servers.length = 0;
    const end = await start().outcome;
    expect(end).toMatchObject({ errorClass: "provider_unavailable", message: expect.stringContaining("ECONNREFUSED") });
    expect(end).not.toHaveProperty("details.usage");
  });

  it("refuses an execution that is no call, and one for a provider that it has not", async () => {
    const { start } = await setup();
    expect(await start({ messages: [] }).outcome).toMatchObject({ errorClass: "invalid_execution" });
    expect(await start({ redact: ["("] }).outcome).toMatchObject({ errorClass: "invalid_execution" });
    expect(await start({ provider: "other" }).outcome).toMatchObject({ errorClass: "start_failed" });
  });

  it("writes the prompt to the log only when it is to be logged, with what is to be blanked", async () => {
    const { start, textOf: logged } = await setup({
      kind: "answer",
      pieces: ["Call 555-0100 ", "or ada@example.org."],
    });
    const messages = [{ role: "user" as const, text: "I am ada@example.org, 555-0100." }];
    await start({ messages }).outcome;
    expect(logged("system")).toBe("");
    await start({ messages, isLogged: true, redact: ["email", "\\d{3}-\\d{4}"] }).outcome;
    expect(logged("system")).toBe("user: I am [redacted], [redacted].\n");
    expect(logged("token")).toMatch(/Call \[redacted\] or \[redacted\]\.?$/);
  });

  it("lets the key out nowhere, though the provider repeats it wherever it can", async () => {
    const pieces = [`your key is sk-test-01`, `23456789abcdef, and Bearer abcdef`, `ghijkl`];
    const toolCalls = [{ name: "look", fragments: [`{"${key}":"${key}"}`] }];
    const error = JSON.stringify({ error: { message: `bad key ${key}`, type: key, code: key } });
    const { start, log } = await setup(
      { kind: "answer", pieces, toolCalls, model: key },
      { kind: "status", status: 500, body: error },
      { kind: "status", status: 401, body: error },
      { kind: "answer", pieces: ["unfinished", key], finish: "content_filter" },
    );
    const ends = [];
    for (let call = 0; call < 4; call += 1) ends.push(await start({ isLogged: true }).outcome);
    expect(ends.map(({ state }) => state)).toEqual(["completed", "failed", "failed", "failed"]);
    expect(JSON.stringify([ends, textOf(log, "token"), log])).not.toContain("0123456789");
    expect(textOf(log, "token")).toContain("your key is [redacted], and [redacted]");
  });

  it("is ready with the providers that it has", async () => {
    const ready = createLlmExecutor({ providers: [echo] });
    expect(await ready.probe()).toEqual({ ready: true, facts: { providers: "echo" } });
    expect(await createLlmExecutor({ providers: [] }).probe()).toMatchObject({ ready: false });
    expect(await ready.adopt([], () => ({ write: () => {} }))).toEqual([]);
  });
});

describe("echo", () => {
  it("answers with the last message of the user, four characters a token", async () => {
    const { start } = await setup();
    const call = { provider: "echo", model: "echo", messages: [{ role: "user" as const, text: "x".repeat(10) }] };
    const usage = { inputTokens: 3, outputTokens: 3 };
    expect(await start(call).outcome).toEqual({
      state: "completed",
      result: { text: "xxxxxxxxxx", finishReason: "stop", usage, model: "echo" },
    });
    expect(await start({ ...call, maxOutputTokens: 2 }).outcome).toMatchObject({
      result: { text: "xxxxxxxx", finishReason: "length", usage: { outputTokens: 2 } },
    });
  });

  it("answers with the least JSON of the form that is asked for", async () => {
    const { start } = await setup();
    const outputSchema = {
      type: "object",
      required: ["title", "rank", "tags", "kind"],
      properties: {
        title: { type: "string", maxLength: 8 },
        rank: { type: "integer", minimum: 3 },
        tags: { type: "array", items: { $ref: "#/$defs/tag" }, minItems: 2 },
        kind: { enum: ["a", "b"] },
        other: { type: "string" },
      },
      $defs: { tag: { type: "string", minLength: 2 } },
    };
    const messages = [{ role: "user" as const, text: "A report on clouds" }];
    const end = await start({ provider: "echo", model: "echo", messages, outputSchema }).outcome;
    expect(end.state === "completed" && JSON.parse(end.result.text)).toEqual({
      title: "A report",
      rank: 3,
      tags: ["A report on clouds", "A report on clouds"],
      kind: "a",
    });
  });

  it("stops in its midst when it is slow", async () => {
    const { start, log } = await setup();
    const run = start({ provider: "echo", model: "echo-slow", messages: [{ role: "user", text: "a ".repeat(1000) }] });
    await expect.poll(() => log.length).toBeGreaterThan(2);
    await run.stop("drained");
    expect(await run.outcome).toMatchObject({ errorClass: "drained", details: { usage: { isEstimated: true } } });
  });
});
