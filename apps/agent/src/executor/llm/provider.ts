import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModelV4 } from "@ai-sdk/provider";
import { createEcho } from "./echo.ts";
import type { ProviderConfig } from "./provider-config.ts";
import { createProviderFetch } from "./provider-fetch.ts";

/** A provider that is ready to be called. */
export interface Provider {
  name: string;
  keySetting: string;
  model(id: string): LanguageModelV4;
}

// Given always: the libraries would otherwise look into the environment themselves.
const baseUrls = {
  openai: "https://api.openai.com/v1",
  anthropic: "https://api.anthropic.com/v1",
  google: "https://generativelanguage.googleapis.com/v1beta",
} as const;

/** Makes the client of a provider. */
export function createProvider({ name, protocol, baseUrl, key, keySetting }: ProviderConfig): Provider {
  if (protocol === "echo") return { name, keySetting, model: (id) => createEcho({ model: id }) };
  const apiKey = key ?? "";
  const baseURL = baseUrl ?? baseUrls[protocol];
  const fetch = createProviderFetch();
  if (protocol === "anthropic") {
    const anthropic = createAnthropic({ apiKey, baseURL, fetch });
    return { name, keySetting, model: (id) => anthropic(id) };
  }
  if (protocol === "google") {
    const google = createGoogle({ apiKey, baseURL, fetch });
    return { name, keySetting, model: (id) => google(id) };
  }
  const compatible = createOpenAICompatible({
    // The options of every one go under the same name, whatever the operator calls it.
    name: "openaiCompatible",
    baseURL,
    fetch,
    ...(key !== undefined && { apiKey: key }),
    includeUsage: true,
    supportsStructuredOutputs: true,
    // OpenAI's newer models refuse the older name, which is all that most others know.
    ...(baseURL === baseUrls.openai && { transformRequestBody: withNewerNames }),
  });
  return { name, keySetting, model: (id) => compatible(id) };
}

function withNewerNames({ max_tokens: maxTokens, ...body }: Record<string, unknown>): Record<string, unknown> {
  return maxTokens === undefined ? body : { ...body, max_completion_tokens: maxTokens };
}
