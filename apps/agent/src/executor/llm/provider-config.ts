import type { SettingValues } from "@drover/daemon/setting";
import { DroverError } from "@drover/domain/error";
import { keyPattern, llmSettings } from "./setting.ts";

/** A provider of models that this node may call. */
export interface ProviderConfig {
  /** What queues of its calls are called by. */
  name: string;
  protocol: "openai" | "anthropic" | "google" | "echo";
  /** Absent: the provider's own. */
  baseUrl?: string;
  key?: string;
  /** The setting of the key, for whoever has to mend it. */
  keySetting: string;
}

export interface ProviderSources {
  env: Readonly<Record<string, string | undefined>>;
  readFile: (path: string) => string;
}

/** The providers that are configured, with their keys. Throws one error that lists every fault. */
export function readProviders(
  values: SettingValues<typeof llmSettings>,
  { env, readFile }: ProviderSources,
): ProviderConfig[] {
  const faults: string[] = [];
  const readKey = (setting: string, key: string | undefined, file: string | undefined): string | undefined => {
    if (file === undefined) return key;
    try {
      const held = readFile(file).trim();
      if (keyPattern.test(held)) return held;
      faults.push(`${setting}_FILE: expected a key of at least 8 visible characters in ${file}, got something else.`);
    } catch {
      faults.push(`${setting}_FILE: expected a file that can be read, got ${file}.`);
    }
    return undefined;
  };

  const known = (["openai", "anthropic", "google"] as const).flatMap((name): ProviderConfig[] => {
    const keySetting = llmSettings[`${name}Key`].name;
    const key = readKey(keySetting, values[`${name}Key`], values[`${name}KeyFile`]);
    const baseUrl = values[`${name}Url`];
    return key === undefined && baseUrl === undefined
      ? []
      : [withParts({ name, protocol: name, keySetting }, key, baseUrl)];
  });
  const named = new Map([
    ...(values.ollamaUrl === undefined ? [] : [["ollama", values.ollamaUrl] as const]),
    ...(values.llmProviders ?? []),
  ]);
  const compatible = [...named].map(([name, baseUrl]) => {
    const keySetting = keyName(name);
    const [key, file] = [env[keySetting], env[`${keySetting}_FILE`]].map((one) => one?.trim() || undefined);
    if (key !== undefined && !keyPattern.test(key))
      faults.push(`${keySetting}: expected a key of at least 8 visible characters, got a secret that is not shown.`);
    return withParts({ name, protocol: "openai", keySetting }, readKey(keySetting, key, file), baseUrl);
  });
  const expected = new Set(compatible.flatMap(({ keySetting }) => [keySetting, `${keySetting}_FILE`]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(keyPrefix) || expected.has(name) || !value?.trim()) continue;
    faults.push(`${name}: expected a provider of that name in ${llmSettings.llmProviders.name}, got none.`);
  }
  if (faults.length > 0) {
    const list = faults.map((fault) => `- ${fault}`).join("\n");
    throw new DroverError(
      "invalid",
      `The providers of models are not configured right. Correct and start again:\n${list}`,
    );
  }
  const echo: ProviderConfig = { name: "echo", protocol: "echo", keySetting: llmSettings.llmEcho.name };
  return [...known, ...compatible, ...(values.llmEcho ? [echo] : [])];
}

/** How many tasks of a class run here at once: calls, too, once there is somebody to call. */
export function withCallSlots(
  slots: ReadonlyMap<string, number>,
  providers: readonly ProviderConfig[],
): Record<string, number> {
  return { ...(providers.length > 0 && { llm: 8 }), ...Object.fromEntries(slots) };
}

const keyPrefix = "DROVER_AGENT_LLM_KEY_";

function keyName(provider: string): string {
  return keyPrefix + provider.toUpperCase().replaceAll("-", "_");
}

// A URL without a path gets the one that the protocol is usually served at.
function withParts(config: ProviderConfig, key: string | undefined, baseUrl: string | undefined): ProviderConfig {
  const isBare = baseUrl !== undefined && new URL(baseUrl).pathname === "/";
  const path = isBare ? (config.protocol === "google" ? "/v1beta" : "/v1") : "";
  const url = baseUrl === undefined ? undefined : baseUrl.replace(/\/+$/, "") + path;
  return { ...config, ...(key !== undefined && { key }), ...(url !== undefined && { baseUrl: url }) };
}
