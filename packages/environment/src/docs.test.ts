import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { editorSchema } from "./editor-schema.ts";
import { readEnvManagerConfig } from "./env-manager-config.ts";
import { readEnvironment } from "./read-environment.ts";

const page = readFileSync(new URL("../../../docs/environment.md", import.meta.url), "utf8");
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, block = ""]) => block);

describe("docs/environment.md", () => {
  it.each(blocks("yaml"))("shows what is read without a fault or a warning: %s", (block) => {
    const text = block.startsWith("drover:") ? block : `drover: environment/v1\nname: shown\n${block}`;
    expect(readEnvironment({ text })).toMatchObject({ declaration: {}, warnings: [] });
  });

  it.each(blocks("toml"))("shows a file of the env-manager: %s", (block) => {
    expect(readEnvManagerConfig(block)).toMatchObject({ settings: {}, warnings: [] });
  });

  it("names every key, those inside of others included", () => {
    const keys = [...keysOf(editorSchema())];
    expect(keys.length).toBeGreaterThan(60);
    expect(keys.filter((key) => !new RegExp(`[\`{, ]${key}\\b`).test(page))).toEqual([]);
  });
});

function keysOf(schema: unknown): Set<string> {
  if (typeof schema !== "object" || schema === null) return new Set();
  const own = "properties" in schema ? Object.keys(schema.properties as object) : [];
  return new Set([...own, ...Object.values(schema).flatMap((inner) => [...keysOf(inner)])]);
}
