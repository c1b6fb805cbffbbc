import type { LanguageModelV4FinishReason, LanguageModelV4StreamPart, LanguageModelV4Usage } from "@ai-sdk/provider";
import type { Json } from "@drover/domain/json";
import type { LlmAnswer, LlmToolCall } from "@drover/domain/workflow/llm-call";

/** What has come of an answer so far; it stands where the call failed in its midst. */
export interface Received {
  /** Whether the provider began to answer. */
  hasBegun: boolean;
  text: string;
  /** Thoughts and the arguments of tool calls. */
  otherText: string;
  toolCalls: LlmToolCall[];
  model?: string;
  finish?: LanguageModelV4FinishReason["unified"];
  usage?: LanguageModelV4Usage;
}

export interface AnswerReader {
  onText: (delta: string) => void;
  /** Ends the reading at once, whatever the provider does. */
  signal: AbortSignal;
}

/** Reads an answer to its end into `received`. Throws what went wrong, as the client library tells it. */
export async function readAnswer(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  received: Received,
  { onText, signal }: AnswerReader,
): Promise<void> {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      take(value, received, onText);
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

/** Why an answer ended, in our words. */
export function finishReasonOf(received: Received): LlmAnswer["finishReason"] {
  switch (received.finish) {
    case "stop":
      return received.toolCalls.length > 0 ? "tool_calls" : "stop";
    case "tool-calls":
      return "tool_calls";
    case "content-filter":
      return "content_filter";
    case "length":
      return "length";
    default:
      return "other";
  }
}

function take(part: LanguageModelV4StreamPart, received: Received, onText: (delta: string) => void): void {
  switch (part.type) {
    case "text-delta":
      received.text += part.delta;
      onText(part.delta);
      return;
    case "reasoning-delta":
    case "tool-input-delta":
      received.otherText += part.delta;
      return;
    case "tool-call":
      received.toolCalls.push({
        id: part.toolCallId,
        name: part.toolName,
        ...readArguments(part.input),
        // JSON by its declaration in the library.
        ...(part.providerMetadata && {
          providerData: part.providerMetadata as NonNullable<LlmToolCall["providerData"]>,
        }),
      });
      return;
    case "response-metadata":
      if (part.modelId !== undefined) received.model = part.modelId;
      return;
    case "finish":
      received.finish = part.finishReason.unified;
      received.usage = part.usage;
      return;
    case "error":
      throw part.error;
    default: // Beginnings and ends, sources, files: nothing that an answer is made of here.
  }
}

// What is nested deeper is nobody's argument, and would end the stack of whoever reads it.
const deepest = 100;

function isWithin(value: Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => isWithin(item, levels - 1));
}

function readArguments(text: string): Pick<LlmToolCall, "arguments" | "fault"> {
  // A tool without parameters is called with nothing by some.
  if (text.trim() === "") return { arguments: {} };
  try {
    const parsed = JSON.parse(text) as Json;
    if (isWithin(parsed, deepest)) return { arguments: parsed };
    return { arguments: "", fault: `Expected arguments of at most ${deepest} levels, got more.` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { arguments: text, fault: `Expected JSON as arguments, got text that is none: ${reason}` };
  }
}
