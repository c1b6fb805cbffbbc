import { parse, stringify, TomlError } from "smol-toml";
import { quote, suggest } from "@drover/document/source/fault";
import { DroverError } from "@drover/domain/error";
import { tomlFault } from "./toml-fault.ts";

/** What the dspy-agent command is told by its file. */
export interface DspyAgentConfig {
  workspace: string;
  orchestratorAddress: string;
  envManagerAddress: string;
  gpu: boolean;
  /** Services by name, and whether they are started; none: all. */
  services: Record<string, boolean>;
  /** Ports of the host by the name of their service. */
  ports: Record<string, number>;
}

export const dspyAgentDefaults: DspyAgentConfig = {
  workspace: ".",
  orchestratorAddress: "localhost:50052",
  envManagerAddress: "localhost:50100",
  gpu: false,
  services: {},
  ports: {},
};

export interface DspyAgentReading {
  config: DspyAgentConfig;
  /** Of keys that nobody knows, which do nothing. */
  warnings: string[];
}

/** Reads the file; what it leaves out is as by default, and keys that nobody knows are left alone and told of. */
export function readDspyAgentConfig(toml: string, path: string): DspyAgentReading {
  const table = parseTable(toml, path);
  const faults: string[] = [];
  const read = <T>(key: string, fallback: T, expected: string, take: (value: unknown) => T | undefined): T => {
    const value = table[key];
    if (value === undefined) return fallback;
    const taken = take(value);
    if (taken === undefined) faults.push(`${key}: expected ${expected}, got ${JSON.stringify(value)}`);
    return taken ?? fallback;
  };
  const { workspace, orchestratorAddress, envManagerAddress, gpu } = dspyAgentDefaults;
  const config: DspyAgentConfig = {
    workspace: read("workspace", workspace, "a folder", textOf),
    orchestratorAddress: read("orchestrator_addr", orchestratorAddress, "host:port", addressOf),
    envManagerAddress: read("env_manager_addr", envManagerAddress, "host:port", addressOf),
    gpu: read("gpu", gpu, "true or false", flagOf),
    services: read("services", {}, "true or false for each service", (value) => mapOf(value, flagOf)),
    ports: read("ports", {}, "a port for each service", (value) => mapOf(value, portOf)),
  };
  const known = Object.keys(parse(writeDspyAgentConfig(dspyAgentDefaults)));
  const unknown = Object.keys(table).filter((key) => !known.includes(key));
  const warnings = unknown.map((key) => {
    const { hint = "" } = suggest(key, known);
    return `${path}: ${quote(key)} is no key of dspy-agent and does nothing. ${hint}`;
  });
  if (faults.length === 0) return { config, warnings };
  throw new DroverError("invalid", `${path} has faults: ${faults.join("; ")}.`, { hint: `Correct ${path}.` });
}

/** The file that says the same. */
export function writeDspyAgentConfig(config: DspyAgentConfig): string {
  const { workspace, orchestratorAddress, envManagerAddress, gpu, services, ports } = config;
  return stringify({
    workspace,
    orchestrator_addr: orchestratorAddress,
    env_manager_addr: envManagerAddress,
    gpu,
    services,
    ports,
  });
}

function parseTable(toml: string, path: string): Record<string, unknown> {
  try {
    return parse(toml);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new DroverError("invalid", `${path}:${error.line}:${error.column} ${tomlFault(error, toml)}`);
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function addressOf(value: unknown): string | undefined {
  return typeof value === "string" && /^[^\s:]*:\d{1,5}$/.test(value) ? value : undefined;
}

function flagOf(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function portOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65_536 ? value : undefined;
}

function mapOf<T>(value: unknown, read: (item: unknown) => T | undefined): Record<string, T> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries: [string, T][] = [];
  for (const [name, item] of Object.entries(value)) {
    const taken = read(item);
    if (taken === undefined) return undefined;
    entries.push([name, taken]);
  }
  return Object.fromEntries(entries);
}
