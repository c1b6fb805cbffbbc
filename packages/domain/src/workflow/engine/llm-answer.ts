import type { Json } from "../../json.ts";
import type { LlmAnswer } from "../llm-call.ts";

/** What a call brought, from the result of its task; a worker of another version may have written less. */
export function readAnswer(result: Json): LlmAnswer {
  const given = result !== null && typeof result === "object" && !Array.isArray(result) ? result : {};
  const { toolCalls, ...rest } = given as Partial<LlmAnswer>;
  return {
    finishReason: "other",
    usage: { inputTokens: 0, outputTokens: 0 },
    model: "",
    ...rest,
    ...(Array.isArray(toolCalls) && { toolCalls }),
    text: typeof given["text"] === "string" ? given["text"] : "",
  };
}
