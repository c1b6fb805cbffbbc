import { existsSync, readFileSync } from "node:fs";
import { type EnvManagerSettings, readEnvManagerConfig } from "@drover/environment/env-manager-config";
import { reachable } from "./dspy-agent/place.ts";

/**
 * What users of the env-manager say of its host, as settings of the agent, where these are not set themselves; the rest
 * of what they say the API reads itself.
 */
export function envManagerHost(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const file = fileSettings(env["DROVER_API_ENV_MANAGER_CONFIG"] || env["ENV_MANAGER_CONFIG"]);
  const metrics = env["ENV_MANAGER_METRICS_ADDR"] || file.metricsAddress;
  const said = {
    DROVER_AGENT_LISTEN: metrics && reachable(metrics),
    DROVER_AGENT_MAX_CONCURRENT_STARTS: env["ENV_MANAGER_MAX_CONCURRENT"] || file.maxConcurrentStarts?.toString(),
    DROVER_AGENT_DOCKER_HOST: file.dockerHost,
  };
  return Object.fromEntries(
    Object.entries(said).flatMap(([name, value]): [string, string][] => (value && !env[name] ? [[name, value]] : [])),
  );
}

/** A file with faults is refused by the API, which tells them all. */
function fileSettings(path: string | undefined): EnvManagerSettings {
  if (!path || !existsSync(path)) return {};
  const reading = readEnvManagerConfig(readFileSync(path, "utf8"));
  return "settings" in reading ? reading.settings : {};
}
