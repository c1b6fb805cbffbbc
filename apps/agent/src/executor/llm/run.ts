import type { LlmAnswer, LlmCall, LlmUsage } from "@drover/domain/workflow/llm-call";
import { DroverError } from "@drover/domain/error";
import type { FailedRun, LogSink, Run, RunOutcome, RunRequest, StopReason } from "../executor.ts";
import { failed, stoppedEarly } from "../outcome.ts";
import { callAfter } from "../timer.ts";
import { finishReasonOf, readAnswer, type Received } from "./answer.ts";
import { readCall } from "./call.ts";
import { type CallFault, faultOf } from "./failure.ts";
import { promptOf } from "./prompt.ts";
import type { Provider } from "./provider.ts";
import { rateLimitOf, type ResponseHeaders } from "./rate-limit.ts";
import { blankRanges, blank, createRedactor, mapTexts, type Redactor, storable } from "./redact.ts";
import { createTokenLog, type TokenLog } from "./token-log.ts";
import { estimateUsage, usageOf } from "./usage.ts";

export interface LlmRunDeps {
  providers: ReadonlyMap<string, Provider>;
  keys: readonly string[];
  blankKeys: (text: string) => string;
  /** `provider/model` of those that refused to be given a form; they are told in words from then on. */
  refusers: Set<string>;
  now: () => number;
}

// What a call may answer where neither it nor its grant says.
const usualOutputTokens = 1024;

/** Carries one attempt: one call to a provider. */
export function startLlmRun(deps: LlmRunDeps, request: RunRequest, logs: LogSink): Run<LlmAnswer> {
  const stopping = new AbortController();
  const clean = (text: string) => storable(deps.blankKeys(text));
  const callOff = callAfter(request.timeoutSeconds * 1000, () => stopping.abort("timeout"));
  const outcome = run(deps, request, logs, stopping.signal)
    .then((end) => mapTexts(end, clean))
    .catch((error: unknown) => {
      const isCallsFault = error instanceof DroverError && error.reason === "invalid";
      const message = error instanceof Error ? error.message : String(error);
      return failed(isCallsFault ? "invalid_execution" : "error", clean(message));
    })
    .finally(callOff);
  return {
    taskKey: request.taskKey,
    fence: request.fence,
    outcome,
    stop(reason) {
      // The request ends with its signal; nothing of it is left on this host.
      stopping.abort(reason);
      return Promise.resolve({ gone: true });
    },
  };
}

async function run(
  deps: LlmRunDeps,
  request: RunRequest,
  logs: LogSink,
  signal: AbortSignal,
): Promise<RunOutcome<LlmAnswer>> {
  const call = readCall(request.execution);
  const provider = deps.providers.get(call.provider);
  if (provider === undefined)
    return failed("start_failed", `This node has no provider "${call.provider}"; set its key or base URL on an agent.`);
  const redactor = createRedactor({ keys: deps.keys, ...(call.redact && { patterns: call.redact }) });
  const log = createTokenLog({ sink: logs, redactor });
  if (call.isLogged) writePrompt(call, log);

  const sent: Sent = { hasBegun: false, headers: {}, received: nothing() };
  try {
    await ask(deps, { call, provider, request, log, signal, sent });
    return settle(deps, call, provider, sent);
  } catch (error) {
    if (signal.aborted) return stopped(request, call, sent, signal.reason as StopReason);
    return failedBy(faultOf(error, provider, deps.now()), call, sent, redactor);
  } finally {
    log.end();
  }
}

interface Asking {
  call: LlmCall;
  provider: Provider;
  request: RunRequest;
  log: TokenLog;
  signal: AbortSignal;
  sent: Sent;
}

/** What is known of a request: it stands where the call fails. */
interface Sent {
  hasBegun: boolean;
  headers: ResponseHeaders;
  received: Received;
}

/** Sends the call; once more, with the form told in words, where a provider refused to be given it. */
async function ask(deps: LlmRunDeps, asking: Asking): Promise<void> {
  const { call, provider, signal } = asking;
  const target = `${provider.name}/${call.model}`;
  const isTold = deps.refusers.has(target);
  try {
    await send(asking, isTold ? "told" : "native");
  } catch (error) {
    if (signal.aborted || isTold || call.outputSchema === undefined || !isFormRefused(error, deps.now())) throw error;
    deps.refusers.add(target);
    await send(asking, "told");
  }
}

async function send({ call, provider, request, log, signal, sent }: Asking, schema: "native" | "told"): Promise<void> {
  signal.throwIfAborted();
  const maxOutputTokens = call.maxOutputTokens ?? request.grant?.maxOutputTokens ?? usualOutputTokens;
  sent.hasBegun = true;
  const asked = provider.model(call.model).doStream({
    ...promptOf(call, { maxOutputTokens, schema }),
    abortSignal: signal,
  });
  const { stream, response } = await unlessAborted(asked, signal);
  sent.headers = response?.headers ?? {};
  sent.received.hasBegun = true;
  await readAnswer(stream, sent.received, { onText: (delta) => log.write(delta), signal });
}

function settle(
  deps: LlmRunDeps,
  call: LlmCall,
  provider: Provider,
  { headers, received }: Sent,
): RunOutcome<LlmAnswer> {
  const usage = usageOf(received.usage, call, received);
  const rateLimit = rateLimitOf(headers, deps.now());
  const facts = { usage, ...(rateLimit && { rateLimit }) };
  if (received.finish === "content-filter") {
    const message = `The provider ${provider.name} withheld the answer for its content.`;
    return { state: "failed", errorClass: "content_filtered", message, details: facts };
  }
  const isEmpty = received.text.trim() === "" && received.toolCalls.length === 0;
  // A model may spend all it may say on thoughts; that is an answer, if a short one.
  if (received.finish === "error" || received.finish === "interrupted" || (isEmpty && received.finish !== "length")) {
    const message = `The provider ${provider.name} ended its answer without ${isEmpty ? "a word" : "an end"}.`;
    return { state: "failed", errorClass: "provider_unavailable", message, details: facts };
  }
  const answer: LlmAnswer = {
    text: received.text,
    ...(received.toolCalls.length > 0 && { toolCalls: received.toolCalls }),
    finishReason: finishReasonOf(received),
    model: received.model ?? call.model,
    ...facts,
  };
  return { state: "completed", result: answer };
}

function stopped(request: RunRequest, call: LlmCall, sent: Sent, reason: StopReason): FailedRun {
  const end = stoppedEarly(request, reason);
  // A provider counts what it read even if nobody waits for its answer.
  return sent.hasBegun ? { ...end, details: { usage: estimateUsage(call, sent.received) } } : end;
}

function failedBy(fault: CallFault, call: LlmCall, sent: Sent, redactor: Redactor): FailedRun {
  const { errorClass, message, retryAfterMs, status, rateLimit } = fault;
  const usage: LlmUsage | undefined = sent.received.hasBegun
    ? usageOf(sent.received.usage, call, sent.received)
    : undefined;
  const ranges = redactor.find(message);
  const clean = ranges === undefined ? blank : blankRanges(message, ranges);
  return {
    state: "failed",
    errorClass,
    message: clean.length > 1000 ? `${clean.slice(0, 1000)}…` : clean,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    details: { ...(status !== undefined && { status }), ...(usage && { usage }), ...(rateLimit && { rateLimit }) },
  };
}

function isFormRefused(error: unknown, nowMs: number): boolean {
  const { errorClass, message } = faultOf(error, { name: "", keySetting: "" }, nowMs);
  return (
    errorClass === "provider_refused" && /response.?format|json.?schema|schema|structured|output.?format/i.test(message)
  );
}

function writePrompt(call: LlmCall, log: TokenLog): void {
  if (call.system !== undefined) log.note("system", `system: ${call.system}`);
  for (const message of call.messages) {
    if (message.role === "tool") log.note("system", `tool ${message.name}: ${JSON.stringify(message.result)}`);
    else log.note("system", `${message.role}: ${message.text}`);
    if (message.role === "assistant" && message.toolCalls)
      log.note("system", `calls: ${JSON.stringify(message.toolCalls)}`);
  }
}

function nothing(): Received {
  return { hasBegun: false, text: "", otherText: "", toolCalls: [] };
}

/** A library that does not heed its signal must not keep an attempt from its end. */
function unlessAborted<T>(work: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    void Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
