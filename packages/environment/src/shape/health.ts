import type { HealthCheck, Probe } from "@drover/domain/environment/declaration";
import { byKind, named, record } from "@drover/document/shape/record";
import { documented, mapped, number, refuse, text, word, type Read, type Shape } from "@drover/document/shape/shape";
import { duration } from "@drover/document/shape/unit";
import { quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";
import { command } from "./command.ts";
import { portNumber } from "./port.ts";
import { scalar } from "./scalar.ts";

/** How often, how long and how patiently is probed where a check does not say it. */
export const healthDefaults = { intervalSeconds: 10, timeoutSeconds: 5, retries: 3, startSeconds: 60 };

/** How it is found out whether a service works. */
export function health(): Shape<HealthCheck> {
  const shape = mapped(healthRecord, compileHealth);
  return { ...shape, schema: { ...shape.schema, oneOf: Object.keys(probes).map((kind) => ({ required: [kind] })) } };
}

const path = () => text({ pattern: /^\/[^\s\p{Cc}]*$/u, max: 2000, expected: "a path that begins with a slash" });
const httpText = text({
  pattern: /^:?\d{1,5}(?:\/[^\s\p{Cc}]*)?$/u,
  expected: "a port with or without a path, such as 8080/health",
});

const probes = {
  http: documented(
    byKind<Probe>({
      number: mapped(portNumber(), (port): Probe => ({ kind: "http", port, path: "/", scheme: "http" })),
      text: mapped(httpText, readHttp),
      object: mapped(
        record({
          name: "an http check",
          required: { port: portNumber() },
          optional: { path: path(), scheme: word(["http", "https"]), headers: named(scalar(4096)) },
        }),
        ({ port, path: at = "/", scheme = "http", headers }): Probe => ({
          kind: "http",
          port,
          path: at,
          scheme,
          ...(headers && { headers: Object.fromEntries(headers) }),
        }),
      ),
    }),
    "A port inside the container, with a path: 8080/health. Any answer from 200 to 399 is well.",
  ),
  url: documented(mapped(text({ max: 2000 }), readUrl), "An http or https address as seen from the node."),
  tcp: documented(
    mapped(portNumber(), (port): Probe => ({ kind: "tcp", port })),
    "A port inside the container that takes connections.",
  ),
  command: documented(
    mapped(command(), (words): Probe => ({ kind: "command", command: words })),
    "A command inside the container that exits with 0.",
  ),
  redis: documented(
    mapped(portNumber(), (port): Probe => ({ kind: "redis", port })),
    "A port inside the container where PING is answered by PONG.",
  ),
  grpc: documented(
    byKind<Probe>({
      number: mapped(portNumber(), (port): Probe => ({ kind: "grpc", port })),
      object: mapped(
        record({ name: "a grpc check", required: { port: portNumber() }, optional: { service: text({ max: 200 }) } }),
        (raw): Probe => ({ kind: "grpc", ...raw }),
      ),
    }),
    "A port inside the container that serves grpc.health.v1.Health.",
  ),
} satisfies Record<Probe["kind"], Shape<Probe>>;

const healthRecord = record({
  name: "a health check",
  optional: {
    ...probes,
    interval: documented(duration({ min: 0.1, upTo: "a day" }), "Between two probes once it is healthy; 10 s."),
    timeout: documented(duration({ min: 0.1, upTo: "a day" }), "For one probe; 5 s."),
    retries: documented(number({ min: 1, max: 100, whole: true }), "Failures in a row that make it unhealthy; 3."),
    start: documented(duration({ min: 1, upTo: "a day" }), "The longest a start may take; 60 s."),
  },
});

function compileHealth(raw: Read<typeof healthRecord>, at: Value, report: Report): HealthCheck | undefined {
  const kinds = Object.keys(probes) as (keyof typeof probes)[];
  const [kind, second] = kinds.filter((one) => at.fields?.has(one));
  if (kind === undefined) return refuse(at, report, `a health check with one of ${kinds.join(", ")}`);
  if (second !== undefined) {
    report.add(at.fields?.get(second)?.key ?? at, `Expected one of ${quote(kind)} and ${quote(second)}, got both.`);
    return undefined;
  }
  const { interval, timeout, retries, start } = raw;
  const probe = raw[kind];
  const check = {
    intervalSeconds: interval ?? healthDefaults.intervalSeconds,
    timeoutSeconds: timeout ?? Math.min(healthDefaults.timeoutSeconds, start ?? Infinity),
    retries: retries ?? healthDefaults.retries,
    startSeconds: start ?? healthDefaults.startSeconds,
  };
  if (check.timeoutSeconds > check.startSeconds)
    report.add(
      at.fields?.get("timeout")?.value ?? at,
      `Expected a timeout of at most the ${check.startSeconds} s that the start may take, got ${check.timeoutSeconds} s.`,
    );
  return probe && { probe, ...check };
}

function readHttp(written: string, at: Value, report: Report): Probe | undefined {
  const [, digits, rest = "/"] = /^:?(\d+)(\/.*)?$/.exec(written) ?? [];
  const port = Number(digits);
  if (port >= 1 && port <= 65_535) return { kind: "http", port, path: rest, scheme: "http" };
  return refuse(at, report, "a port from 1 to 65535 with or without a path, such as 8080/health");
}

function readUrl(written: string, at: Value, report: Report): Probe | undefined {
  if (isHttpUrl(written)) return { kind: "url", url: written };
  return refuse(at, report, "an address that begins with http:// or https://");
}

/** Whether it is an address that can be asked by HTTP. */
export function isHttpUrl(written: string): boolean {
  return /^https?:\/\/[^\s/]/.test(written) && URL.canParse(written);
}
