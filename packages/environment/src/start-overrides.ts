import type { Declaration, Port } from "@drover/domain/environment/declaration";
import { quote, suggest } from "@drover/document/source/fault";
import { findService } from "./built-in.ts";
import { hostPortConflicts } from "./check/host-port.ts";
import { applyOverrides, isCheckUrl, unknownService, type ServiceOverride } from "./override.ts";
import { isImage } from "@drover/domain/image-name";
import { readPort } from "./shape/port.ts";
import { variableName } from "./shape/scalar.ts";

/** What is wrong with one override, by its key. */
export interface OverrideFault {
  field: string;
  message: string;
}

/**
 * Reads the overrides of a start: `redis.image`, `redis.required`, `redis.health_check_url`, `redis.env.NAME` and
 * `redis.ports` (several behind commas, nothing for none).
 */
export function readStartOverrides(
  overrides: Readonly<Record<string, string>>,
  declaration: Declaration,
): { overrides: ServiceOverride[] } | { faults: OverrideFault[] } {
  const faults: OverrideFault[] = [];
  const found = new Map<string, ServiceOverride>();
  for (const [field, value] of Object.entries(overrides)) {
    const [, name = "", key = "", rest] = /^([^.]+)\.([^.]+)(?:\.(.+))?$/s.exec(field) ?? [];
    const service = findService(declaration, name);
    const override = found.get(service?.name ?? "") ?? { name: service?.name ?? "" };
    const message =
      name === ""
        ? `Expected <service>.<key>, such as redis.image, got ${quote(field)}.`
        : service === undefined
          ? unknownService(name, declaration)
          : setOverride(override, key, rest, value);
    if (message === undefined) found.set(override.name, override);
    else faults.push({ field, message });
  }
  const read = [...found.values()];
  if (faults.length === 0) faults.push(...portFaults(declaration, read));
  return faults.length > 0 ? { faults } : { overrides: read };
}

type Setter = (override: ServiceOverride, value: string) => string | undefined;

const setters: Record<string, Setter> = {
  image(override, value) {
    if (!isImage(value)) return `Expected an image, such as redis:7-alpine, got ${quote(value)}.`;
    override.image = value;
    return undefined;
  },
  required(override, value) {
    const word = value.trim().toLowerCase();
    if (word !== "true" && word !== "false") return `Expected true or false, got ${quote(value)}.`;
    override.isRequired = word === "true";
    return undefined;
  },
  health_check_url(override, value) {
    if (!isCheckUrl(value))
      return `Expected an address that begins with http://, https://, or tcp:// and redis:// with a port, got ${quote(value)}.`;
    override.healthCheckUrl = value;
    return undefined;
  },
  ports(override, value) {
    const ports: Port[] = [];
    for (const written of value.split(",").filter((part) => part.trim() !== "")) {
      const port = readPort(written);
      if (port === undefined) return `Expected ports, such as "8080:80, 127.0.0.1:53:53/udp", got ${quote(value)}.`;
      ports.push(port);
    }
    override.ports = ports;
    return undefined;
  },
};

/** Sets what a key says; answers what is wrong with it. */
function setOverride(
  override: ServiceOverride,
  key: string,
  rest: string | undefined,
  value: string,
): string | undefined {
  if (key === "env") {
    if (rest === undefined || !variableName.pattern.test(rest))
      return `Expected ${variableName.expected} behind env., got ${quote(rest ?? "")}.`;
    if (value.includes("\0")) return "Expected a text without NUL.";
    override.env = { ...override.env, [rest]: value };
    return undefined;
  }
  const set = rest === undefined && Object.hasOwn(setters, key) ? setters[key] : undefined;
  if (set !== undefined) return set(override, value);
  const written = rest === undefined ? key : `${key}.${rest}`;
  const { hint = "" } = suggest(written, [...Object.keys(setters), "env.NAME"]);
  return `Expected an override that is known, got ${quote(written)}. ${hint}`.trim();
}

function portFaults(declaration: Declaration, overrides: readonly ServiceOverride[]): OverrideFault[] {
  const changed = overrides.filter(({ ports }) => ports !== undefined);
  if (changed.length === 0) return [];
  return hostPortConflicts(applyOverrides(declaration, overrides).declaration).map(({ service, message }) => ({
    field: `${changed.find(({ name }) => name === service)?.name ?? changed[0]?.name ?? service}.ports`,
    message,
  }));
}
