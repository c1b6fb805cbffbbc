import type { ConfigFault } from "@drover/daemon/config-file";
import { flag, text } from "@drover/daemon/kind";
import type { Kind } from "@drover/daemon/kind";
import type { Settings } from "@drover/daemon/setting";

/** A shorter key could not be blanked without mutilating innocent text. */
export const keyPattern = /^[\x21-\x7e]{8,4000}$/;

const key = text({ pattern: keyPattern, expects: "a key of at least 8 visible characters" });

/** The settings that make providers of models known to an agent. */
export const llmSettings = {
  openaiKey: {
    name: "DROVER_AGENT_OPENAI_API_KEY",
    kind: key,
    optional: true,
    secret: true,
    doc: "Makes this node call OpenAI. Also read from OPENAI_API_KEY.",
  },
  openaiKeyFile: {
    name: "DROVER_AGENT_OPENAI_API_KEY_FILE",
    kind: text(),
    optional: true,
    doc: "File that holds it, read at start. Also OPENAI_API_KEY_FILE.",
  },
  openaiUrl: {
    name: "DROVER_AGENT_OPENAI_BASE_URL",
    kind: baseUrl(),
    optional: true,
    doc: "Where it is called instead. Also OPENAI_BASE_URL.",
  },
  anthropicKey: {
    name: "DROVER_AGENT_ANTHROPIC_API_KEY",
    kind: key,
    optional: true,
    secret: true,
    doc: "Makes this node call Anthropic. Also read from ANTHROPIC_API_KEY.",
  },
  anthropicKeyFile: {
    name: "DROVER_AGENT_ANTHROPIC_API_KEY_FILE",
    kind: text(),
    optional: true,
    doc: "File that holds it, read at start. Also ANTHROPIC_API_KEY_FILE.",
  },
  anthropicUrl: {
    name: "DROVER_AGENT_ANTHROPIC_BASE_URL",
    kind: baseUrl(),
    optional: true,
    doc: "Where it is called instead. Also ANTHROPIC_BASE_URL.",
  },
  googleKey: {
    name: "DROVER_AGENT_GOOGLE_API_KEY",
    kind: key,
    optional: true,
    secret: true,
    doc: "Makes this node call Google's Gemini. Also read from GOOGLE_API_KEY or GEMINI_API_KEY.",
  },
  googleKeyFile: {
    name: "DROVER_AGENT_GOOGLE_API_KEY_FILE",
    kind: text(),
    optional: true,
    doc: "File that holds it, read at start. Also GOOGLE_API_KEY_FILE or GEMINI_API_KEY_FILE.",
  },
  googleUrl: {
    name: "DROVER_AGENT_GOOGLE_BASE_URL",
    kind: baseUrl(),
    optional: true,
    doc: "Where it is called instead. Also GOOGLE_BASE_URL.",
  },
  ollamaUrl: {
    name: "DROVER_AGENT_OLLAMA_BASE_URL",
    kind: baseUrl(),
    optional: true,
    doc: "Makes this node call Ollama there, such as http://127.0.0.1:11434. Also OLLAMA_BASE_URL.",
  },
  llmProviders: {
    name: "DROVER_AGENT_LLM_PROVIDERS",
    kind: providerUrls(),
    optional: true,
    doc: "Further providers that speak OpenAI's protocol, such as vLLM and gateways. The key of NAME is read from DROVER_AGENT_LLM_KEY_NAME, or from the file that DROVER_AGENT_LLM_KEY_NAME_FILE names; both only from the environment.",
  },
  llmEcho: {
    name: "DROVER_AGENT_LLM_ECHO",
    kind: flag(),
    default: false,
    doc: "Adds the provider echo, which answers with what it is asked: for demos and tests.",
  },
} as const satisfies Settings;

/** The names of providers that cannot be given to others. */
export const builtInProviders = ["openai", "anthropic", "google", "ollama", "echo"] as const;

/** The environment with the names that users know from elsewhere in place of ours, where ours are not set. */
export function withKnownNames(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const own = { ...env };
  for (const [known, name] of knownNames) if (!own[name]?.trim() && env[known]?.trim()) own[name] = env[known];
  return own;
}

const knownNames = [
  "OPENAI_API_KEY",
  "OPENAI_API_KEY_FILE",
  "OPENAI_BASE_URL",
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_API_KEY_FILE",
  "ANTHROPIC_BASE_URL",
  "GOOGLE_API_KEY",
  "GOOGLE_API_KEY_FILE",
  "GOOGLE_BASE_URL",
  "OLLAMA_BASE_URL",
]
  .map((name): [string, string] => [name, `DROVER_AGENT_${name}`])
  .concat([
    ["GEMINI_API_KEY", "DROVER_AGENT_GOOGLE_API_KEY"],
    ["GEMINI_API_KEY_FILE", "DROVER_AGENT_GOOGLE_API_KEY_FILE"],
  ]);

/** Rules between the settings of providers. */
export function checkLlmSettings(values: Partial<Record<keyof typeof llmSettings, unknown>>): ConfigFault[] {
  return (["openai", "anthropic", "google"] as const).flatMap((provider) => {
    if (values[`${provider}Key`] === undefined || values[`${provider}KeyFile`] === undefined) return [];
    const { name } = llmSettings[`${provider}Key`];
    return [{ name, message: `expected either ${name} or ${name}_FILE, got both. Remove one.` }];
  });
}

function baseUrl(): Kind<string> {
  return { expects: "a URL that begins with http:// or https://, without a login", shape: "text", parse: parseUrl };
}

function providerUrls(): Kind<ReadonlyMap<string, string>> {
  return {
    expects: "pairs such as vllm=http://host:8000/v1,gateway=https://host, with names that no other provider has",
    shape: "map",
    parse(raw) {
      const pairs = raw.split(",").map((item) => {
        const [, name = "", url = ""] = /^([a-z][a-z0-9-]{0,30})\s*=\s*(\S+)$/.exec(item.trim()) ?? [];
        const isTaken = builtInProviders.some((known) => known === name);
        return name === "" || isTaken || parseUrl(url) === undefined ? undefined : ([name, url] as const);
      });
      const good = pairs.filter((pair) => pair !== undefined);
      const map = new Map(good);
      return map.size === pairs.length ? map : undefined;
    },
  };
}

function parseUrl(raw: string): string | undefined {
  if (!/^https?:\/\//i.test(raw) || !URL.canParse(raw)) return undefined;
  const { username, password, search, hash } = new URL(raw);
  return username === "" && password === "" && search === "" && hash === "" ? raw : undefined;
}
