import type { LanguageModelV4Usage } from "@ai-sdk/provider";
import type { LlmCall, LlmUsage } from "@drover/domain/workflow/llm-call";

/** What came of an answer, in texts. */
export interface Produced {
  text: string;
  /** Thoughts and the arguments of tool calls: paid, too. */
  otherText: string;
}

/** What a call used: as the provider says, or counted from the texts where it does not say or cannot be right. */
export function usageOf(said: LanguageModelV4Usage | undefined, call: LlmCall, produced: Produced): LlmUsage {
  const input = said?.inputTokens.total;
  const output = said?.outputTokens.total;
  const hasOutput = produced.text + produced.otherText !== "";
  if (isCount(input) && input > 0 && isCount(output) && (output > 0 || !hasOutput))
    return { inputTokens: input, outputTokens: output };
  return estimateUsage(call, produced);
}

/** What a call used by its texts: four ASCII characters a token, one token for any other. */
export function estimateUsage(call: LlmCall, { text, otherText }: Produced): LlmUsage {
  return {
    inputTokens: countTokens(promptText(call)),
    outputTokens: countTokens(text) + countTokens(otherText),
    isEstimated: true,
  };
}

/** Everything that a call sends, as one text. */
function promptText(call: LlmCall): string {
  const messages = call.messages.map((message) => {
    if (message.role === "tool") return message.name + JSON.stringify(message.result);
    const calls = message.role === "assistant" && message.toolCalls ? JSON.stringify(message.toolCalls) : "";
    return message.text + calls;
  });
  const tools = call.tools === undefined ? "" : JSON.stringify(call.tools);
  const schema = call.outputSchema === undefined ? "" : JSON.stringify(call.outputSchema);
  return [call.system ?? "", ...messages, tools, schema].join("");
}

function countTokens(text: string): number {
  let others = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 127) others += 1;
  return Math.ceil((text.length - others) / 4) + others;
}

// More than any model takes: a counter that ran over.
function isCount(count: number | undefined): count is number {
  return Number.isSafeInteger(count) && count !== undefined && count >= 0 && count <= 100_000_000;
}
