import { formatAddress, isLoopback, parseAddress } from "@drover/daemon/address";
import type { EnvManagerSettings } from "@drover/environment/env-manager-config";

type Variables = Readonly<Record<string, string | undefined>>;

export interface KnownNames {
  /** The environment with our names for what the env-manager's say. */
  env: Record<string, string | undefined>;
  warnings: string[];
}

/** The environment in which the env-manager's file is found under our name. */
export function withEnvManagerFile(env: Variables): Record<string, string | undefined> {
  return { DROVER_API_ENV_MANAGER_CONFIG: env["ENV_MANAGER_CONFIG"], ...present(env) };
}

/**
 * Has the env-manager's names, in the environment before those in its file, stand for our settings where nobody has set
 * these (`given`, by name).
 */
export function withEnvManagerNames(env: Variables, given: object, file: EnvManagerSettings = {}): KnownNames {
  const own = { ...env };
  const warnings: string[] = [];
  const set = (name: string, value: string | undefined) => {
    if (!(name in given) && value !== undefined) own[name] = value;
  };
  const said = (name: string): string | undefined => env[name]?.trim() || undefined;
  set("DROVER_API_ENV_MANAGER_START_SECONDS", said("ENV_MANAGER_HEALTH_TIMEOUT"));
  const isVerbose = said("ENV_MANAGER_VERBOSE") ?? (file.isVerbose === true ? "true" : undefined);
  if (isVerbose !== undefined && /^(true|1|yes|on)$/i.test(isVerbose)) set("DROVER_LOG_LEVEL", "debug");
  const address = said("ENV_MANAGER_GRPC_ADDR") ?? file.grpcAddress;
  if (address !== undefined && !("DROVER_LISTEN" in given)) {
    const isInsecure = "DROVER_INSECURE" in given && /"(true|yes|on|1)"/i.test(String(given.DROVER_INSECURE));
    const { kept, warning } = keepInside(address, isInsecure);
    if (warning !== undefined) warnings.push(warning);
    if (kept !== undefined) set("DROVER_LISTEN", [...otherAddresses, kept].join(","));
  }
  return { env: own, warnings };
}

/** Of the defaults those that the env-manager's address does not stand for. */
const otherAddresses = ["127.0.0.1:9097", "127.0.0.1:50052"];

/**
 * The env-manager's guides print 0.0.0.0: callers are not authenticated, so without the operator's word for it that means
 * this machine.
 */
function keepInside(written: string, isInsecure: boolean): { kept?: string; warning?: string } {
  const address = parseAddress(written.startsWith(":") ? `0.0.0.0${written}` : written);
  if (address === undefined) {
    return {
      warning: `Expected ENV_MANAGER_GRPC_ADDR or grpc_addr to be host:port, got ${JSON.stringify(written)}; it does nothing.`,
    };
  }
  if (isInsecure || isLoopback(address.host)) return { kept: formatAddress(address) };
  const kept = formatAddress({ host: "127.0.0.1", port: address.port });
  const warning = `${written} can be reached from other machines, and callers are not authenticated: ${kept} is served instead. Set DROVER_INSECURE=true where that is wanted.`;
  return { kept, warning };
}

/** Without variables that are blank, as Compose passes on what nobody has set. */
function present(env: Variables): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ""));
}
