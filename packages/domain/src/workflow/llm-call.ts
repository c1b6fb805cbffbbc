import type { Json } from "../json.ts";
import type { JsonSchema } from "./definition.ts";

/** One request to a model, as stored in the execution of a task with executor llm. The provider is the queue's task type. */
export interface LlmCall {
  provider: string;
  model: string;
  system?: string;
  messages: LlmMessage[];
  tools?: { name: string; description?: string; parameters: JsonSchema }[];
  /** The answer is to be JSON of this form. */
  outputSchema?: JsonSchema;
  temperature?: number;
  /** Absent: the grant of the claim says how much. */
  maxOutputTokens?: number;
  /** An upper estimate of the input, by which the call is reserved. */
  inputTokens: number;
  /** On whom the call is charged: limits and budgets match on these. */
  charge: { workflow?: string; rootRunId?: string; runId?: string; step?: string };
  isLogged?: boolean;
  redact?: string[];
}

export type LlmMessage =
  | { role: "user"; text: string }
  | { role: "assistant"; text: string; toolCalls?: LlmToolCall[] }
  | { role: "tool"; callId: string; name: string; result: Json; isError?: boolean };

export interface LlmToolCall {
  id: string;
  name: string;
  arguments: Json;
  /** Why the arguments could not be read as JSON; `arguments` is then the text that came. */
  fault?: string;
  /** What the provider wants back with the next turn, unchanged: signatures of its thoughts. */
  providerData?: { [provider: string]: { [name: string]: Json } };
}

/** What a call brought, as stored in the task's result; its cost is settled from `usage`. */
export interface LlmAnswer {
  text: string;
  toolCalls?: LlmToolCall[];
  finishReason: "stop" | "length" | "tool_calls" | "content_filter" | "other";
  usage: LlmUsage;
  /** What the provider says it is. */
  model: string;
  rateLimit?: LlmRateLimit;
}

export interface LlmUsage {
  inputTokens: number;
  outputTokens: number;
  /** The provider did not say; counted from the texts. */
  isEstimated?: boolean;
}

/** What the provider's headers told about its own limits. */
export interface LlmRateLimit {
  remainingRequests?: number;
  remainingTokens?: number;
  /** Until the scarcer of both is full again. */
  resetMs?: number;
}
