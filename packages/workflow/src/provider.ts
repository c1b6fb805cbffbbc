const providersByPrefix = [
  [/^(gpt-|o[134](-|$)|chatgpt-)/, "openai"],
  [/^claude-/, "anthropic"],
  [/^gemini-/, "google"],
] as const;

/** The provider that a model's name tells; undefined where it tells none. */
export function providerOf(model: string): string | undefined {
  return providersByPrefix.find(([pattern]) => pattern.test(model))?.[1];
}
