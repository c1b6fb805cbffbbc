import { findSimilar } from "@drover/domain/similar";
import { parse } from "yaml";

import type { Kind } from "./kind.ts";
import { configFileName, fileKey, matchesName, type Setting } from "./setting.ts";

export interface ConfigFile {
  /** The text of each setting found, by the setting's name. */
  found: Map<string, { text: string; key: string }>;
  faults: ConfigFault[];
}

/** What is wrong with one setting. */
export interface ConfigFault {
  name: string;
  message: string;
}

export interface ConfigFileOptions {
  content: string;
  path: string;
  settings: readonly Setting[];
  /** Settings of other programs that may share the file. */
  otherNames: readonly string[];
}

/**
 * Reads YAML or JSON (which is YAML) into the texts that the environment would hold. Keys may be nested:
 * `log: {level: info}` is log_level. Every value is kept as it was written, so 0123 stays 0123 and one parser serves both sources.
 */
export function readConfigFile({ content, path, settings, otherNames }: ConfigFileOptions): ConfigFile {
  const file: ConfigFile = { found: new Map(), faults: [] };
  const byKey = new Map(settings.map((setting) => [fileKey(setting.name), setting]));
  const otherKeys = otherNames.map(fileKey);
  const sectionKeys = [...byKey.keys(), ...otherKeys];
  const fault = (name: string, message: string) => void file.faults.push({ name, message });

  const visit = (node: unknown, key: string): void => {
    const setting = byKey.get(key);
    if (setting) return take(setting, node, key);
    if (matchesName(key, otherKeys)) return;
    if (isMap(node) && (key === "" || sectionKeys.some((known) => known.startsWith(`${key}_`)))) {
      for (const [part, child] of Object.entries(node)) visit(child, key === "" ? part : `${key}_${part}`);
      return;
    }
    const guess = findSimilar(key, byKey.keys());
    fault(key, `expected a known key in ${path}, got ${key}.${guess === undefined ? "" : ` Did you mean ${guess}?`}`);
  };

  const take = (setting: Setting, node: unknown, key: string): void => {
    if (node === null || node === "") return;
    const text = textOf(setting.kind, node);
    if (text === undefined)
      return fault(
        setting.name,
        `expected ${setting.kind.expects}, got ${misfitOf(setting.kind, node)} from ${path} (key ${key}).`,
      );
    if (file.found.has(setting.name))
      return fault(setting.name, `expected one value, got two from ${path}: nested and as ${key}.`);
    file.found.set(setting.name, { text, key });
  };

  const root = parseContent(content);
  if ("fault" in root)
    fault(configFileName, `expected YAML or JSON in ${path}, got text that cannot be read: ${root.fault}.`);
  else if (isMap(root.value)) visit(root.value, "");
  else if (root.value !== null)
    fault(configFileName, `expected keys with values in ${path}, got ${nameOf(root.value)}.`);
  return file;
}

function parseContent(content: string): { value: unknown } | { fault: string } {
  try {
    // failsafe leaves every value a text.
    return { value: parse(content, { schema: "failsafe", customTags: ["null"] }) };
  } catch (error) {
    // Only the first line: those below quote the file, and so perhaps a secret.
    return {
      fault:
        String(error instanceof Error ? error.message : error)
          .split("\n", 1)[0]
          ?.replace(/:$/, "") ?? "",
    };
  }
}

function textOf(kind: Kind<unknown>, node: unknown): string | undefined {
  if (typeof node === "string") return node;
  if (kind.shape === "list" && Array.isArray(node)) return joined(node);
  if (kind.shape === "map" && isMap(node)) {
    return joined(
      Object.entries(node).map(([name, value]) => (typeof value === "string" ? `${name}=${value}` : undefined)),
    );
  }
  return undefined;
}

/** A comma inside an item would make two of it. */
function joined(items: unknown[]): string | undefined {
  return items.every((item) => typeof item === "string" && !item.includes(",")) ? items.join(",") : undefined;
}

function isMap(node: unknown): node is Record<string, unknown> {
  return typeof node === "object" && node !== null && !Array.isArray(node);
}

function misfitOf(kind: Kind<unknown>, node: unknown): string {
  return `${nameOf(node)}${kind.shape === "list" && Array.isArray(node) ? " with commas or nested values" : ""}`;
}

function nameOf(node: unknown): string {
  if (Array.isArray(node)) return "a list";
  return isMap(node) ? "nested keys" : "a text";
}
