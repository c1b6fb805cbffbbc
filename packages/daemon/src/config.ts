import { readFileSync } from "node:fs";

import { DroverError } from "@drover/domain/error";
import { findSimilar } from "@drover/domain/similar";

import { type ConfigFault, type ConfigFile, readConfigFile } from "./config-file.ts";
import { redactText, urlPasswords } from "./redact.ts";
import { configFileName, fileKey, matchesName, type Setting, type Settings, type SettingValues } from "./setting.ts";

export interface ConfigOptions<S extends Settings> {
  settings: S;
  /** Settings of other programs that share the environment and the file, such as DROVER_AGENT_*. */
  otherNames?: readonly string[];
  /** Rules between settings; asked once each setting by itself is right. */
  check?: (values: SettingValues<S>) => ConfigFault[];
}

export interface Config<S extends Settings> {
  readonly settings: S;
  /** Reads every setting: environment, then file, then default. Throws one error that lists every fault. */
  read(input: ConfigInput): ConfigResult<S>;
}

export interface ConfigInput {
  env: Readonly<Record<string, string | undefined>>;
  readFile?: (path: string) => string;
}

export interface ConfigResult<S extends Settings> {
  values: SettingValues<S>;
  /** What somebody has set, by name, with its source and without secrets: made to be logged at start. */
  given: Record<string, string>;
  /** The secret values and the passwords in URLs, for the log to hide. */
  secrets: string[];
  /** Sentences for the log: variables that look like ours and are not. */
  warnings: string[];
}

/** Declares the settings of an app. Throws when the declaration itself is wrong: a name twice, a default that does not parse. */
export function defineConfig<const S extends Settings>({
  settings,
  otherNames = [],
  check = () => [],
}: ConfigOptions<S>): Config<S> {
  const all = Object.values(settings);
  checkDeclaration(all);
  return {
    settings,
    read({ env, readFile = (path) => readFileSync(path, "utf8") }) {
      const file = openFile({ path: env[configFileName]?.trim(), readFile, settings: all, otherNames });
      const faults = [...file.faults];
      const picks = Object.entries(settings).map(([key, setting]) => ({
        key,
        setting,
        pick: pick(setting, env, file),
      }));
      for (const { setting, pick: picked } of picks)
        if ("fault" in picked) faults.push({ name: setting.name, message: picked.fault });
      // The one cast: each value was parsed by its own setting's kind.
      const values = Object.fromEntries(
        picks.map(({ key, pick: picked }) => [key, "value" in picked ? picked.value : undefined]),
      ) as SettingValues<S>;
      if (faults.length === 0) faults.push(...check(values));
      if (faults.length > 0) throw faultsError(faults);
      const set = picks.flatMap(({ setting, pick: picked }) =>
        "source" in picked && picked.source ? [{ setting, ...picked }] : [],
      );
      return {
        values,
        given: Object.fromEntries(
          set.map(({ setting, text, source }) => [setting.name, `${shown(setting, text)} from ${source}`]),
        ),
        secrets: set.flatMap(({ setting, text }) => [...(setting.secret ? [text] : []), ...urlPasswords(text)]),
        warnings: strangers(env, all, otherNames),
      };
    },
  };
}

function checkDeclaration(settings: readonly Setting[]): void {
  const names = new Set<string>([configFileName]);
  for (const { name, kind, default: text } of settings) {
    if (names.has(name))
      throw new DroverError("internal", `Expected each setting to be declared once, got ${name} again. Rename one.`);
    names.add(name);
    if (text !== undefined && kind.parse(String(text)) === undefined) {
      throw new DroverError(
        "internal",
        `Expected the default of ${name} to be ${kind.expects}, got ${String(text)}. Correct the declaration.`,
      );
    }
  }
}

interface FileOptions {
  path: string | undefined;
  readFile: (path: string) => string;
  settings: readonly Setting[];
  otherNames: readonly string[];
}

function openFile({ path, readFile, settings, otherNames }: FileOptions): ConfigFile & { path: string } {
  if (path === undefined || path === "") return { path: "", found: new Map(), faults: [] };
  try {
    return { path, ...readConfigFile({ content: readFile(path), path, settings, otherNames }) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `expected a file that can be read, got ${path} from the environment: ${reason}.`;
    return { path, found: new Map(), faults: [{ name: configFileName, message }] };
  }
}

type Pick = { value: unknown; text: string; source?: string } | { fault: string };

/** An empty text counts as not set: that is how Compose passes on a variable that nobody has set. */
function pick(setting: Setting, env: ConfigInput["env"], file: ConfigFile & { path: string }): Pick {
  const fromEnv = env[setting.name]?.trim();
  if (fromEnv) return parsed(setting, fromEnv, "the environment");
  const fromFile = file.found.get(setting.name);
  if (fromFile) return parsed(setting, fromFile.text.trim(), `${file.path} (key ${fromFile.key})`);
  if (setting.default !== undefined)
    return { value: setting.kind.parse(String(setting.default)), text: String(setting.default) };
  // What a broken file holds is not known, so it is not called missing.
  const isUnknown = file.faults.some((fault) => fault.name === setting.name || fault.name === configFileName);
  if (setting.optional || isUnknown) return { value: undefined, text: "" };
  return {
    fault: `expected ${setting.kind.expects}, got nothing. Set it in the environment, or as ${fileKey(setting.name)} in the file that ${configFileName} names.`,
  };
}

function parsed(setting: Setting, text: string, source: string): Pick {
  const value = setting.kind.parse(text);
  if (value !== undefined) return { value, text, source };
  return { fault: `expected ${setting.kind.expects}, got ${shown(setting, text)} from ${source}.` };
}

function shown(setting: Setting, text: string): string {
  if (setting.secret) return "a secret that is not shown";
  const clean = redactText(text);
  return JSON.stringify(clean.length > 100 ? `${clean.slice(0, 100)}…` : clean);
}

function faultsError(faults: ConfigFault[]): DroverError {
  const lines = faults.map(({ name, message }) => `- ${name}: ${message}`);
  const count = faults.length === 1 ? "1 setting is" : `${faults.length} settings are`;
  return new DroverError("invalid", [`${count} wrong. Correct and start again:`, ...lines].join("\n"), {
    fields: faults.map(({ name, message }) => ({ field: name, message })),
  });
}

function strangers(env: ConfigInput["env"], settings: readonly Setting[], otherNames: readonly string[]): string[] {
  const names = [configFileName, ...settings.map((setting) => setting.name)];
  return Object.keys(env)
    .filter((name) => name.startsWith("DROVER_") && !matchesName(name, [...names, ...otherNames]))
    .map((name) => {
      const guess = findSimilar(name, names);
      return `${name} in the environment is not a setting and does nothing.${guess === undefined ? "" : ` Did you mean ${guess}?`}`;
    });
}
