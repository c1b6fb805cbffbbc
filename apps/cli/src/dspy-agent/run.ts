import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { ConnectError } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import {
  type DspyAgentConfig,
  dspyAgentDefaults,
  readDspyAgentConfig,
  writeDspyAgentConfig,
} from "@drover/environment/dspy-agent-config";
import { logs } from "./logs.ts";
import { complain, type Flags, type Place, say, type Task } from "./place.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import { stop } from "./stop.ts";

interface Command {
  usage: string;
  summary: string;
  options: readonly (keyof typeof allOptions)[];
  run: (task: Task) => number | Promise<number>;
}

const allOptions = {
  workspace: { type: "string" },
  gpu: { type: "boolean" },
  services: { type: "string" },
  daemon: { type: "boolean" },
  timeout: { type: "string" },
  force: { type: "boolean" },
  follow: { type: "boolean", short: "f" },
  tail: { type: "string", short: "n" },
  service: { type: "string" },
} as const;

const version = "0.1.0";

const commands: Record<string, Command> = {
  start: {
    usage: "start [--workspace DIR] [--gpu] [--services A,B] [--daemon]",
    summary: "start everything in the background; ends with 0 once the services run",
    options: ["workspace", "gpu", "services", "daemon"],
    run: start,
  },
  stop: {
    usage: "stop [--timeout 30] [--force]",
    summary: "stop the services, then what start has started",
    options: ["timeout", "force"],
    run: stop,
  },
  status: { usage: "status", summary: "show the services", options: [], run: status },
  logs: {
    usage: "logs [-f] [-n 100] [--service NAME]",
    summary: "show what services print",
    options: ["follow", "tail", "service"],
    run: logs,
  },
  "config show": { usage: "config show", summary: "show the configuration", options: [], run: showConfig },
  "config init": { usage: "config init", summary: "write the configuration's file", options: [], run: initConfig },
  version: {
    usage: "version",
    summary: "show the version",
    options: [],
    run: ({ place }) => (say(place, `dspy-agent ${version} (Drover)`), 0),
  },
};

/** Runs one command line and says what to exit with; it never throws. */
export async function runDspyAgent(place: Place): Promise<number> {
  const { args } = place;
  const words = args.filter((word) => !word.startsWith("-"));
  const name = commands[`${words[0]} ${words[1]}`] ? `${words[0]} ${words[1]}` : (words[0] ?? "");
  if (args.includes("--help") || args.includes("-h") || args.length === 0 || name === "help") {
    say(place, helpText());
    return 0;
  }
  const command = args[0] === "--version" ? commands["version"] : commands[name];
  if (command === undefined) return refuse(place, `Expected a command, got "${args.join(" ")}".`);
  try {
    const flags = args[0] === "--version" ? {} : readFlags(command, name, args);
    return await command.run({ place, flags, config: readConfig(place) });
  } catch (error) {
    if (place.stop.aborted) return 130;
    if (error instanceof TypeError && "code" in error) return refuse(place, error.message);
    const isOurs = error instanceof DroverError;
    complain(place, `Error: ${isOurs ? error.message : ConnectError.from(error).rawMessage}`);
    if (isOurs && error.facts.hint) complain(place, `Try: ${error.facts.hint}`);
    return isOurs && error.reason === "invalid" ? 2 : 1;
  }
}

function readFlags({ options }: Command, name: string, args: readonly string[]): Flags {
  const allowed = Object.fromEntries(options.map((key) => [key, allOptions[key]]));
  const { values, positionals } = parseArgs({ args: [...args], options: allowed, allowPositionals: true });
  const extra = positionals.slice(name.split(" ").length);
  if (extra.length > 0) throw new DroverError("invalid", `Expected nothing more, got "${extra.join(" ")}".`);
  return values;
}

function readConfig(place: Place): DspyAgentConfig {
  const path = configFileOf(place);
  if (!existsSync(path)) return dspyAgentDefaults;
  const { config, warnings } = readDspyAgentConfig(readFileSync(path, "utf8"), path);
  for (const warning of warnings) complain(place, `Warning: ${warning}`);
  return config;
}

function showConfig({ place, config }: Task): number {
  const path = configFileOf(place);
  say(place, `# ${existsSync(path) ? path : `${path} is not there: these are the defaults`}`);
  say(place, writeDspyAgentConfig(config).trimEnd());
  return 0;
}

function initConfig({ place }: Task): number {
  const path = configFileOf(place);
  if (existsSync(path)) {
    complain(place, `Error: ${path} is there already, and is left as it is.`);
    return 1;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, writeDspyAgentConfig(dspyAgentDefaults));
  say(place, `Wrote ${path}.`);
  return 0;
}

function configFileOf({ homeDir }: Place): string {
  return join(homeDir, ".dspy-agent", "config.toml");
}

function refuse(place: Place, message: string): number {
  complain(place, `Error: ${message}`);
  complain(place, "Try: dspy-agent --help");
  return 2;
}

function helpText(): string {
  const width = Math.max(...Object.values(commands).map(({ usage }) => usage.length));
  const lines = Object.values(commands).map(({ usage, summary }) => `  dspy-agent ${usage.padEnd(width)}  ${summary}`);
  return ["The agents' infrastructure on this machine, by Drover. `drover` itself can do more.", "", ...lines].join(
    "\n",
  );
}
