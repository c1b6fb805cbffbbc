/** Which model answers in the demo, and how it is said. */
export interface ModelChoice {
  /** As workflows name it; absent: the one that stands in the example. */
  model?: string;
  told: string;
}

const providers = [
  { keys: ["OPENAI_API_KEY"], model: "openai/gpt-4o-mini" },
  { keys: ["ANTHROPIC_API_KEY"], model: "anthropic/claude-haiku-4-5" },
  { keys: ["GOOGLE_API_KEY", "GEMINI_API_KEY"], model: "google/gemini-2.5-flash" },
] as const;

/** The first provider whose key is in the environment; else the echo. */
export function chooseModel(env: Readonly<Record<string, string | undefined>>): ModelChoice {
  for (const { keys, model } of providers) {
    const key = keys.find((name) => env[name]?.trim());
    if (key !== undefined) return { model, told: `${model}, since there is ${key}; the echo provider where it fails` };
  }
  const names = providers.flatMap(({ keys }) => keys[0]).join(", ");
  return { told: `no provider key found (${names}): the echo provider answers, which repeats what it is asked` };
}

/** The example with a model of its own, and the echo behind it. */
export function withModel(source: string, model: string): string {
  return source.replaceAll(/^( *)model: echo\/\S+$/gm, (_, indent: string) => `${indent}model: [${model}, echo/echo]`);
}
