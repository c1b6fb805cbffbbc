import { setTimeout as delay } from "node:timers/promises";
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Prompt,
  LanguageModelV4StreamPart,
} from "@ai-sdk/provider";
import type { Json } from "@drover/domain/json";
import { instanceOf } from "./echo-instance.ts";

const charactersPerToken = 4;

/**
 * A model that is none: it answers with the last message of the user, or with the least JSON of the form that is asked
 * for. The same call gets the same answer, for demos and tests. `echo-slow` takes a twentieth of a second for a word.
 */
export function createEcho({ model }: { model: string }): LanguageModelV4 {
  return {
    specificationVersion: "v4",
    provider: "echo",
    modelId: model,
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("echo only streams")),
    doStream: (options) => Promise.resolve({ stream: ReadableStream.from(answer(model, options)) }),
  };
}

async function* answer(
  model: string,
  { prompt, responseFormat, maxOutputTokens = Number.POSITIVE_INFINITY, abortSignal }: LanguageModelV4CallOptions,
): AsyncGenerator<LanguageModelV4StreamPart> {
  const question = lastQuestion(prompt);
  const hasForm = responseFormat?.type === "json" && responseFormat.schema !== undefined;
  // JSON by its declaration in the library.
  const whole = hasForm ? JSON.stringify(instanceOf(responseFormat.schema as Json, question)) : question;
  const text = whole.slice(0, maxOutputTokens * charactersPerToken);
  yield { type: "stream-start", warnings: [] };
  yield { type: "response-metadata", modelId: model };
  for (const word of text.match(/\S*\s*/g) ?? []) {
    if (word === "") continue;
    if (model === "echo-slow") await delay(50, undefined, abortSignal && { signal: abortSignal });
    yield { type: "text-delta", id: "0", delta: word };
  }
  const finish = text.length < whole.length ? "length" : "stop";
  const input = prompt.reduce((sum, message) => sum + charactersOf(message.content), 0);
  yield {
    type: "finish",
    finishReason: { unified: finish, raw: finish },
    usage: {
      inputTokens: {
        total: Math.ceil(input / charactersPerToken),
        noCache: undefined,
        cacheRead: undefined,
        cacheWrite: undefined,
      },
      outputTokens: { total: Math.ceil(text.length / charactersPerToken), text: undefined, reasoning: undefined },
    },
  };
}

function lastQuestion(prompt: LanguageModelV4Prompt): string {
  const question = prompt.findLast((message) => message.role === "user");
  const parts = question?.role === "user" ? question.content : [];
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function charactersOf(content: LanguageModelV4Prompt[number]["content"]): number {
  if (typeof content === "string") return content.length;
  return content.reduce(
    (sum, part) => sum + (part.type === "text" ? part.text.length : JSON.stringify(part).length),
    0,
  );
}
