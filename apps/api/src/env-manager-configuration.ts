import type { Log } from "@drover/daemon/log";
import type { Service } from "@drover/daemon/service";
import { findEnvironment, findGeneration } from "@drover/db/query/environment";
import type { Fault } from "@drover/document/source/fault";
import { DroverError } from "@drover/domain/error";
import { builtIn } from "@drover/environment/built-in";
import {
  type EnvManagerSettings,
  longestStartSeconds,
  readEnvManagerConfig,
} from "@drover/environment/env-manager-config";
import { overriddenSource } from "@drover/environment/overridden-source";
import type { ServiceOverride } from "@drover/environment/override";
import { envManagerActor } from "./compat/env-manager/environment.ts";
import type { Deps } from "./operation/context.ts";
import { declareEnvironment } from "./operation/declare-environment.ts";

export interface EnvManagerFile {
  settings: EnvManagerSettings;
  serviceOverrides: ServiceOverride[];
  warnings: string[];
}

/** Reads the env-manager's file, or refuses with every fault of it. */
export function readEnvManagerFile(path: string, readFile: (path: string) => string): EnvManagerFile {
  let toml: string;
  try {
    toml = readFile(path);
  } catch (error) {
    throw faulty(
      `Expected a file that can be read at ${path}: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  // What is wrong with a value is told by its key, what is wrong with the text by its line.
  const place = ({ line, column, path: key, message }: Fault) =>
    line > 0 ? `${path}:${line}:${column} ${message}` : `${path}: ${key}: ${message}`;
  const reading = readEnvManagerConfig(toml);
  if ("faults" in reading) throw faulty(reading.faults.map(place).join("\n"));
  return { ...reading, warnings: reading.warnings.map(place) };
}

export interface EnvManagerConfigurationOptions {
  deps: Deps;
  log: Log;
  /** Of which clients of the env-manager speak without naming it. */
  environment: string;
  path: string;
  readFile: (path: string) => string;
  /** In place of what the file says about the longest start. */
  startSeconds?: number;
}

export interface EnvManagerConfiguration extends Service {
  /** Reads the file anew; one that is broken is told of, and changes nothing. */
  reload(): Promise<void>;
}

/**
 * Has the environment be as the env-manager's file overrides it: a generation of it, which nodes follow as any other, so
 * that only what differs is touched. One that somebody has applied by hand is theirs, and is left as it is.
 */
export function createEnvManagerConfiguration(options: EnvManagerConfigurationOptions): EnvManagerConfiguration {
  const { deps, log, environment, path, readFile } = options;
  const caller = { namespace: "default", actor: envManagerActor };

  const apply = async () => {
    const { settings, serviceOverrides, warnings } = readEnvManagerFile(path, readFile);
    for (const warning of warnings) log.warn({ file: path }, warning);
    const startSeconds = options.startSeconds ?? longestStartSeconds(settings);
    const hasSaid = serviceOverrides.length > 0 || startSeconds !== undefined;
    const base = builtIn(environment);
    const owner = await ownerOf(deps, caller.namespace, environment);
    if (base === undefined || (owner !== undefined && owner !== envManagerActor)) {
      const who = owner === undefined ? "nobody applied yet" : `${owner} applied`;
      if (hasSaid) log.warn({ environment, file: path }, `the file does not change an environment that ${who}`);
      return;
    }
    if (owner === undefined && !hasSaid) return;
    const overridden = overriddenSource({
      ...base,
      overrides: serviceOverrides,
      ...(startSeconds !== undefined && { startSeconds }),
    });
    if (overridden.warnings.length > 0)
      throw faulty(overridden.warnings.map((text) => `${path}: service_overrides: ${text}`).join("\n"));
    const { created } = await declareEnvironment(deps, caller, hasSaid ? overridden.text : environment);
    log.info({ environment, file: path, changed: created }, "the env-manager's file holds");
  };

  let turn = Promise.resolve();
  return {
    name: "env-manager configuration",
    start: apply,
    stop: () => turn,
    reload() {
      turn = turn.then(apply).catch((error: unknown) => {
        log.error({ error, file: path }, "the env-manager's file was not taken up, and nothing was changed");
      });
      return turn;
    },
  };
}

function faulty(message: string): DroverError {
  return new DroverError("invalid", message, { hint: "Correct it, then start or reload again." });
}

/** Who made the newest generation; undefined: nobody. */
async function ownerOf({ db, directory }: Deps, namespace: string, name: string): Promise<string | undefined> {
  const row = await findEnvironment(db, await directory.namespaceId(namespace), name);
  if (row === undefined || row.deletion_requested_at !== null) return undefined;
  return (await findGeneration(db, row.id, row.generation))?.actor;
}
