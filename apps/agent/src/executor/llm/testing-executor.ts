import type { Execution } from "@drover/domain/execution";
import type { LlmCall } from "@drover/domain/workflow/llm-call";
import type { RunRequest } from "../executor.ts";
import { createLlmExecutor } from "./llm.ts";
import type { ProviderConfig } from "./provider-config.ts";
import { type Behaviour, startTestProvider } from "./testing-provider.ts";

/** The key that every provider of a test is called with. */
export const testKey = "sk-test-0123456789abcdef";

export const protocols = ["openai", "anthropic", "google"] as const;

export const echoProvider: ProviderConfig = { name: "echo", protocol: "echo", keySetting: "DROVER_AGENT_LLM_ECHO" };

export const testCall: LlmCall = {
  provider: "openai",
  model: "test-model",
  messages: [{ role: "user", text: "Where are you?" }],
  inputTokens: 10,
  charge: {},
};

/** An executor with a provider of every protocol that behaves as told, the last way for good, and what it logs. */
export async function startTestExecutor(...behaviours: Behaviour[]) {
  let number = 0;
  const server = await startTestProvider(
    () => behaviours[Math.min(number++, behaviours.length - 1)] ?? { kind: "empty" },
  );
  const providers = [...protocols.map((protocol) => configOf(protocol, server.url)), echoProvider];
  const executor = createLlmExecutor({ providers });
  const log: { stream: string; text: string }[] = [];
  const sink = { write: (stream: string, text: string) => void log.push({ stream, text }) };
  return {
    server,
    log,
    executor,
    textOf: (stream: string) => log.flatMap((line) => (line.stream === stream ? [line.text] : [])).join(""),
    start: (call: Partial<LlmCall> = {}, request: Partial<RunRequest> = {}) =>
      executor.start({ ...requestOf({ ...testCall, ...call }), ...request }, sink),
  };
}

/** A provider of a protocol, at a test server. */
export function configOf(protocol: (typeof protocols)[number], url: string): ProviderConfig {
  const keySetting = `DROVER_AGENT_${protocol.toUpperCase()}_API_KEY`;
  return { name: protocol, protocol, key: testKey, keySetting, baseUrl: `${url}/v1` };
}

function requestOf(call: LlmCall): RunRequest {
  return {
    taskKey: "1",
    fence: "1",
    attempt: 1,
    taskId: "task-1",
    namespace: "default",
    class: "llm",
    // Read again by the executor, as whatever it is.
    execution: call as unknown as Execution,
    payload: null,
    timeoutSeconds: 20,
  };
}
