import { describe, expect, it } from "vitest";
import { defineConfig } from "@drover/daemon/config";
import { readProviders, withCallSlots } from "./provider-config.ts";
import { checkLlmSettings, llmSettings, withKnownNames } from "./setting.ts";

const key = "sk-0123456789";

function read(given: Record<string, string>, files: Record<string, string> = {}) {
  const env = withKnownNames(given);
  const config = defineConfig({ settings: llmSettings, check: checkLlmSettings, otherNames: ["DROVER_*"] });
  const { values, secrets, given: shown } = config.read({ env });
  const readFile = (path: string) => {
    if (files[path] === undefined) throw new Error("ENOENT");
    return files[path];
  };
  return { providers: readProviders(values, { env, readFile }), secrets, shown };
}

describe("the providers of an agent", () => {
  it("are none by themselves", () => {
    expect(read({}).providers).toEqual([]);
  });

  it.each([
    ["DROVER_AGENT_OPENAI_API_KEY", "openai"],
    ["OPENAI_API_KEY", "openai"],
    ["DROVER_AGENT_ANTHROPIC_API_KEY", "anthropic"],
    ["ANTHROPIC_API_KEY", "anthropic"],
    ["DROVER_AGENT_GOOGLE_API_KEY", "google"],
    ["GOOGLE_API_KEY", "google"],
    ["GEMINI_API_KEY", "google"],
  ])("are made known by a key in %s, or in the file that %s_FILE names", (name, provider) => {
    const own = `DROVER_AGENT_${provider.toUpperCase()}_API_KEY`;
    const expected = [{ name: provider, protocol: provider, keySetting: own, key }];
    expect(read({ [name]: key }).providers).toEqual(expected);
    expect(read({ [`${name}_FILE`]: "/run/key" }, { "/run/key": `${key}\n` }).providers).toEqual(expected);
  });

  it.each([
    ["DROVER_AGENT_OPENAI_BASE_URL", "openai", "openai", "http://host:1/v1"],
    ["OPENAI_BASE_URL", "openai", "openai", "http://host:1/v1"],
    ["DROVER_AGENT_ANTHROPIC_BASE_URL", "anthropic", "anthropic", "http://host:1/v1"],
    ["ANTHROPIC_BASE_URL", "anthropic", "anthropic", "http://host:1/v1"],
    ["DROVER_AGENT_GOOGLE_BASE_URL", "google", "google", "http://host:1/v1beta"],
    ["GOOGLE_BASE_URL", "google", "google", "http://host:1/v1beta"],
    ["DROVER_AGENT_OLLAMA_BASE_URL", "ollama", "openai", "http://host:1/v1"],
    ["OLLAMA_BASE_URL", "ollama", "openai", "http://host:1/v1"],
  ])(
    "are made known by an address in %s, which gets the usual path where it has none",
    (name, provider, protocol, url) => {
      expect(read({ [name]: "http://host:1" }).providers).toMatchObject([{ name: provider, protocol, baseUrl: url }]);
      expect(read({ [name]: "http://host:1/own/" }).providers).toMatchObject([{ baseUrl: "http://host:1/own" }]);
    },
  );

  it("prefers our name of a setting to the one that is known elsewhere", () => {
    expect(read({ OPENAI_API_KEY: "sk-elsewhere", DROVER_AGENT_OPENAI_API_KEY: key }).providers).toMatchObject([
      { key },
    ]);
  });

  it("may have names of their own, and keys by those names", () => {
    const env = {
      DROVER_AGENT_LLM_PROVIDERS: "vllm=http://host:8000,my-gateway=https://host/x/v1",
      DROVER_AGENT_LLM_KEY_MY_GATEWAY: key,
      DROVER_AGENT_LLM_KEY_VLLM_FILE: "/run/key",
    };
    expect(read(env, { "/run/key": "file-key-1" }).providers).toEqual([
      {
        name: "vllm",
        protocol: "openai",
        keySetting: "DROVER_AGENT_LLM_KEY_VLLM",
        key: "file-key-1",
        baseUrl: "http://host:8000/v1",
      },
      {
        name: "my-gateway",
        protocol: "openai",
        keySetting: "DROVER_AGENT_LLM_KEY_MY_GATEWAY",
        key,
        baseUrl: "https://host/x/v1",
      },
    ]);
  });

  it("have echo among them only when it is asked for", () => {
    expect(read({ DROVER_AGENT_LLM_ECHO: "true" }).providers).toMatchObject([{ name: "echo", protocol: "echo" }]);
    expect(read({ DROVER_AGENT_LLM_ECHO: "false" }).providers).toEqual([]);
  });

  it("bring slots for calls, unless the operator says how many", () => {
    const { providers } = read({ DROVER_AGENT_LLM_ECHO: "true" });
    expect(withCallSlots(new Map([["gpu", 1]]), [])).toEqual({ gpu: 1 });
    expect(withCallSlots(new Map([["gpu", 1]]), providers)).toEqual({ gpu: 1, llm: 8 });
    expect(withCallSlots(new Map([["llm", 2]]), providers)).toEqual({ llm: 2 });
  });

  it("keep their keys out of what is logged at start", () => {
    const { shown, secrets } = read({ OPENAI_API_KEY: key });
    expect(JSON.stringify(shown)).not.toContain(key);
    expect(secrets).toContain(key);
  });

  it.each([
    ["a key twice", { OPENAI_API_KEY: key, OPENAI_API_KEY_FILE: "/run/key" }, "either DROVER_AGENT_OPENAI_API_KEY or"],
    ["a key that is no key", { OPENAI_API_KEY: "my key" }, "at least 8 visible characters"],
    ["a file that is not there", { OPENAI_API_KEY_FILE: "/none" }, "expected a file that can be read, got /none"],
    ["a file without a key", { OPENAI_API_KEY_FILE: "/run/empty" }, "in /run/empty"],
    ["an address with a login", { OPENAI_BASE_URL: "http://a:b@host" }, "without a login"],
    ["an address of another kind", { OLLAMA_BASE_URL: "host:11434" }, "http:// or https://"],
    ["a name that is taken", { DROVER_AGENT_LLM_PROVIDERS: "openai=http://host" }, "names that no other provider has"],
    ["a key for nobody", { DROVER_AGENT_LLM_KEY_VLM: key }, "expected a provider of that name"],
    [
      "a short key of a named one",
      { DROVER_AGENT_LLM_PROVIDERS: "vllm=http://host", DROVER_AGENT_LLM_KEY_VLLM: "EMPTY" },
      "DROVER_AGENT_LLM_KEY_VLLM: expected a key of at least 8",
    ],
  ])("refuse %s and say what was expected", (_, env, expected) => {
    expect(() => read(env, { "/run/empty": "\n" })).toThrow(expected);
  });
});
