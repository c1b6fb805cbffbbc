import { afterEach, describe, expect, it } from "vitest";
import type { LlmCall } from "@drover/domain/workflow/llm-call";
import { createLlmExecutor } from "./llm.ts";
import { echoProvider, startTestExecutor, testCall, testKey } from "./testing-executor.ts";
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

  it("refuses arguments that are nested without end", async () => {
    const toolCalls = [{ name: "look", fragments: ["[".repeat(50_000), "]".repeat(50_000)] }];
    const { start } = await setup({ kind: "answer", pieces: [], toolCalls });
    expect(await start({ tools: [{ name: "look", parameters: {} }] }).outcome).toMatchObject({
      state: "completed",
      result: { toolCalls: [{ arguments: "", fault: expect.stringContaining("100 levels") }] },
    });
  });

  it("leaves out of an answer what Postgres cannot hold", async () => {
    const { start, textOf: logged } = await setup({ kind: "answer", pieces: ["a\0b ", "\ud83d\ude00 ", "c\ud800"] });
    expect(await start().outcome).toMatchObject({ result: { text: "a\ufffdb \ud83d\ude00 c\ufffd" } });
    expect(logged("token")).toBe("a\ufffdb \ud83d\ude00 c\ufffd");
  });

  it("gives back what the provider wants to see again of its tool calls", async () => {
    const toolCalls = [{ name: "look", fragments: ["{}"] }];
    const { start, server } = await setup({ kind: "answer", pieces: [], toolCalls });
    const tools = [{ name: "look", parameters: { type: "object" } }];
    const end = await start({ provider: "google", tools }).outcome;
    const calls = end.state === "completed" ? (end.result.toolCalls ?? []) : [];
    const messages: LlmCall["messages"] = [
      ...testCall.messages,
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
    servers.splice(0);
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
    const toolCalls = [{ name: "look", fragments: [`{"${testKey}":"${testKey}"}`] }];
    const error = JSON.stringify({ error: { message: `bad key ${testKey}`, type: testKey, code: testKey } });
    const {
      start,
      log,
      textOf: logged,
    } = await setup(
      { kind: "answer", pieces, toolCalls, model: testKey },
      { kind: "status", status: 500, body: error },
      { kind: "status", status: 401, body: error },
      { kind: "answer", pieces: ["unfinished", testKey], finish: "content_filter" },
    );
    const ends = [];
    for (let call = 0; call < 4; call += 1) ends.push(await start({ isLogged: true }).outcome);
    expect(ends.map(({ state }) => state)).toEqual(["completed", "failed", "failed", "failed"]);
    expect(JSON.stringify([ends, logged("token"), log])).not.toContain("0123456789");
    expect(logged("token")).toContain("your key is [redacted], and [redacted]");
  });

  it("is ready with the providers that it has", async () => {
    const ready = createLlmExecutor({ providers: [echoProvider] });
    expect(await ready.probe()).toEqual({ ready: true, facts: { providers: "echo" } });
    expect(await createLlmExecutor({ providers: [] }).probe()).toMatchObject({ ready: false });
    expect(await ready.adopt([], () => ({ write: () => {} }))).toEqual([]);
  });
});
