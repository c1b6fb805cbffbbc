import { parse, TomlError } from "smol-toml";
import type { Json } from "@drover/domain/json";
import { list, record } from "@drover/document/shape/record";
import { flag, mapped, number, placed, refuse, text, type Read } from "@drover/document/shape/shape";
import { quote, suggest, type Fault } from "@drover/document/source/fault";
import { readObject } from "@drover/document/source/object";
import { createReport, type Report } from "@drover/document/source/report";
import { maxTextBytes } from "@drover/document/source/text";
import type { Value } from "@drover/document/source/value";
import { isCheckUrl, type ServiceOverride } from "./override.ts";
import { present } from "./present.ts";
import { tomlFault } from "./toml-fault.ts";
import { labelExpected, labelPattern, variableName } from "./shape/scalar.ts";

/** What the file says; what it leaves out is for its reader to decide. */
export interface EnvManagerSettings {
  grpcAddress?: string;
  metricsAddress?: string;
  dockerHost?: string;
  maxConcurrentStarts?: number;
  healthCheckTimeoutSeconds?: number;
  healthCheckMaxAttempts?: number;
  isVerbose?: boolean;
}

/** The env-manager asked every two seconds: so many attempts are twice as many seconds. The shorter limit holds. */
export function longestStartSeconds({
  healthCheckTimeoutSeconds: seconds = Number.POSITIVE_INFINITY,
  healthCheckMaxAttempts: attempts = Number.POSITIVE_INFINITY,
}: EnvManagerSettings): number | undefined {
  const longest = Math.min(seconds, attempts * 2);
  return Number.isFinite(longest) ? longest : undefined;
}

export type EnvManagerReading =
  | { settings: EnvManagerSettings; serviceOverrides: ServiceOverride[]; warnings: readonly Fault[] }
  | { faults: readonly Fault[] };

/** Reads the env-manager's TOML: every key may be absent, and one that nobody knows is told and left out. */
export function readEnvManagerConfig(toml: string): EnvManagerReading {
  const report = createReport();
  const parsed = parseToml(toml);
  if ("message" in parsed) return { faults: [parsed] };
  const document = readObject(parsed.json, report);
  const raw = document && config.read(document, report);
  if (document === undefined || raw === undefined || report.faults.length > 0) return { faults: report.faults };
  warnUnknown(document, config, "the env-manager", report);
  for (const { at } of raw.service_overrides ?? []) warnUnknown(at, override, "a service override", report);
  return {
    settings: present<EnvManagerSettings>({
      grpcAddress: raw.grpc_addr,
      metricsAddress: raw.metrics_http_addr,
      dockerHost: raw.docker_host,
      maxConcurrentStarts: raw.max_concurrent_starts,
      healthCheckTimeoutSeconds: raw.health_check_timeout_secs,
      healthCheckMaxAttempts: raw.health_check_max_attempts,
      isVerbose: raw.verbose_logging,
    }),
    serviceOverrides: (raw.service_overrides ?? []).map(({ value }) => overrideOf(value)),
    warnings: report.warnings,
  };
}

const address = () =>
  text({ pattern: /^[^\s:]*:\d{1,5}$|^\[[0-9a-fA-F:.]+\]:\d{1,5}$/, expected: "an address, such as 0.0.0.0:50100" });

const variable = mapped(text({ blank: true }), (written, at, report) => {
  const [, name = "", value = ""] = /^([^=]*)=(.*)$/s.exec(written) ?? [];
  return variableName.pattern.test(name)
    ? ([name, value] as const)
    : refuse(at, report, 'a variable, such as "NAME=value"');
});

const override = record({
  name: "a service override",
  isOpen: true,
  required: { name: text({ pattern: labelPattern, expected: labelExpected }) },
  optional: {
    required: flag(),
    health_check_url: mapped(text({ max: 2000 }), (url, at, report) =>
      isCheckUrl(url) ? url : refuse(at, report, "an address, such as http://localhost:8082/health"),
    ),
    environment: list(variable),
  },
});

const config = record({
  name: "a configuration",
  isOpen: true,
  optional: {
    grpc_addr: address(),
    metrics_http_addr: address(),
    docker_host: text(),
    max_concurrent_starts: number({ min: 1, max: 1000, whole: true }),
    health_check_timeout_secs: number({ min: 1, max: 86_400, whole: true }),
    health_check_max_attempts: number({ min: 1, max: 100_000, whole: true }),
    verbose_logging: flag(),
    service_overrides: list(placed(override)),
  },
});

function overrideOf({ name, required, health_check_url: url, environment }: Read<typeof override>): ServiceOverride {
  return {
    name,
    ...(required !== undefined && { isRequired: required }),
    ...(url !== undefined && { healthCheckUrl: url }),
    ...(environment && { env: Object.fromEntries(environment) }),
  };
}

function parseToml(toml: string): { json: Json } | Fault {
  const start = { line: 1, column: 1, path: "" };
  if (toml.length > maxTextBytes) return { ...start, message: `Expected at most ${maxTextBytes} characters of TOML.` };
  try {
    return { json: parse(toml, { maxDepth: 100 }) as Json };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ...start, line: error.line, column: error.column, message: tomlFault(error, toml) };
  }
}

function warnUnknown(at: Value, { schema }: Pick<typeof config, "schema">, name: string, report: Report): void {
  const known = Object.keys(schema["properties"] ?? {});
  for (const [key, field] of at.fields ?? []) {
    if (known.includes(key)) continue;
    report.warn(field.key, `${quote(key)} is no key of ${name} and does nothing.`, () => suggest(key, known));
  }
}
