import type { Json } from "../json.ts";
import type { LlmAnswer } from "./llm-call.ts";

/** What a call brought, from the result of its task; a worker of another version may have written less. */
export function readAnswer(result: Json): LlmAnswer {
  const given = result !== null && typeof result === "object" && !Array.isArray(result) ? result : {};
  return {
    finishReason: "other",
    usage: { inputTokens: 0, outputTokens: 0 },
    model: "",
    ...given,
    text: typeof given["text"] === "string" ? given["text"] : "",
  };
}
