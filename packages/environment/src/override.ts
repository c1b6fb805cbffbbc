import type { Declaration, HealthCheck, Port, Probe, Service } from "@drover/domain/environment/declaration";
import { quote, suggest } from "@drover/document/source/fault";
import { findService } from "./built-in.ts";
import { healthDefaults, isHttpUrl } from "./shape/health.ts";

/** What is changed about a service of an environment without a new generation of it; can be stored as JSON. */
export interface ServiceOverride {
  name: string;
  image?: string;
  isRequired?: boolean;
  /** In place of its own check: an http or https address as seen from the node, or tcp://, redis:// with a port there. */
  healthCheckUrl?: string;
  /** On top of its own variables. */
  env?: Record<string, string>;
  /** In place of its own ports. */
  ports?: Port[];
  /** In place of its own, from SIGTERM to SIGKILL. */
  stopGraceSeconds?: number;
}

/** The declaration with overrides, later ones on top; a service that it does not have is told and left out. */
export function applyOverrides(
  declaration: Declaration,
  overrides: readonly ServiceOverride[],
): { declaration: Declaration; warnings: string[] } {
  let { services } = declaration;
  const warnings: string[] = [];
  for (const override of overrides) {
    const found = findService({ services }, override.name);
    if (found === undefined) warnings.push(unknownService(override.name, declaration));
    else services = services.map((service) => (service === found ? applyOverride(service, override) : service));
  }
  return { declaration: { ...declaration, services }, warnings };
}

/** Says that an environment has no service of a name. */
export function unknownService(name: string, { services, name: environment }: Declaration): string {
  const { hint = "" } = suggest(
    name,
    services.map((service) => service.name),
  );
  return `Expected a service of the environment ${quote(environment)}, got ${quote(name)}. ${hint}`.trim();
}

/** Whether a service can be checked by an address. */
export function isCheckUrl(written: string): boolean {
  return isHttpUrl(written) || portOf(written) !== undefined;
}

function applyOverride(service: Service, override: ServiceOverride): Service {
  const { image, isRequired, healthCheckUrl, env, ports, stopGraceSeconds } = override;
  const changed: Service = {
    ...service,
    ...(image !== undefined && { image }),
    ...(isRequired !== undefined && { isRequired }),
    ...(ports !== undefined && { ports }),
    ...(stopGraceSeconds !== undefined && { stopGraceSeconds }),
    env: { ...service.env, ...env },
  };
  return healthCheckUrl === undefined ? changed : { ...changed, health: checkOf(changed, healthCheckUrl) };
}

function checkOf(service: Service, url: string): HealthCheck {
  return { ...healthDefaults, ...service.health, probe: probeOf(service, url) };
}

/** Redis speaks no HTTP: an address of the port where it is asked for PING means just that, as in the guides' files. */
function probeOf(service: Service, url: string): Probe {
  const own = service.health?.probe;
  const { protocol, port } = new URL(url);
  const listening = service.ports.find(({ hostPort }) => hostPort === Number(port))?.containerPort ?? Number(port);
  if (protocol === "redis:") return { kind: "redis", port: listening };
  if (protocol === "tcp:") return { kind: "tcp", port: listening };
  return own?.kind === "redis" && own.port === listening ? own : { kind: "url", url };
}

/** Of tcp:// and redis://; these have no port by themselves. */
function portOf(written: string): number | undefined {
  const [, digits] = /^(?:tcp|redis):\/\/[^\s/:@]+:(\d{1,5})\/?$/.exec(written) ?? [];
  const port = Number(digits);
  return port >= 1 && port <= 65_535 && URL.canParse(written) ? port : undefined;
}
