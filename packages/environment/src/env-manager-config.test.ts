import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { longestStartSeconds, readEnvManagerConfig } from "./env-manager-config.ts";

/** As the deployment guide prints it. */
const printed = `grpc_addr = "0.0.0.0:50100"
max_concurrent_starts = 5
health_check_timeout_secs = 60
health_check_max_attempts = 30
verbose_logging = false

# Override specific services
[[service_overrides]]
name = "redis"
required = true
health_check_url = "http://localhost:6379"

[[service_overrides]]
name = "ollama"
required = false  # Make optional
`;

function faultsOf(toml: string): string[] {
  const reading = readEnvManagerConfig(toml);
  return "faults" in reading ? reading.faults.map(({ line, path, message }) => `${line}|${path}|${message}`) : [];
}

describe("the env-manager's file", () => {
  it("is read as the guide prints it", () => {
    expect(readEnvManagerConfig(printed)).toEqual({
      settings: {
        grpcAddress: "0.0.0.0:50100",
        maxConcurrentStarts: 5,
        healthCheckTimeoutSeconds: 60,
        healthCheckMaxAttempts: 30,
        isVerbose: false,
      },
      serviceOverrides: [
        { name: "redis", isRequired: true, healthCheckUrl: "http://localhost:6379" },
        { name: "ollama", isRequired: false },
      ],
      warnings: [],
    });
  });

  it("limits a start by time and by attempts of two seconds each; the shorter limit holds", () => {
    const limit = longestStartSeconds;
    expect(limit({ healthCheckTimeoutSeconds: 60, healthCheckMaxAttempts: 10 })).toBe(20);
    expect(limit({ healthCheckTimeoutSeconds: 60, healthCheckMaxAttempts: 30 })).toBe(60);
    expect([limit({ healthCheckTimeoutSeconds: 5 }), limit({ healthCheckMaxAttempts: 5 }), limit({})]).toEqual([
      5,
      10,
      undefined,
    ]);
  });

  it("may say nothing, or everything", () => {
    expect(readEnvManagerConfig("")).toEqual({ settings: {}, serviceOverrides: [], warnings: [] });
    const all = `metrics_http_addr = "[::]:50101"\ndocker_host = "unix:///var/run/docker.sock"\n[[service_overrides]]\nname = "kafka"\nenvironment = ["A=1=2", "B="]\n`;
    expect(readEnvManagerConfig(all)).toMatchObject({
      settings: { metricsAddress: "[::]:50101", dockerHost: "unix:///var/run/docker.sock" },
      serviceOverrides: [{ name: "kafka", env: { A: "1=2", B: "" } }],
    });
  });

  it("is warned of keys that nobody knows, by name", () => {
    const reading = readEnvManagerConfig(
      `grpc_adr = "x"\ncolour = 1\n[[service_overrides]]\nname = "redis"\nrequird = true\n`,
    );
    expect(reading).toMatchObject({ settings: {}, serviceOverrides: [{ name: "redis" }] });
    expect("warnings" in reading && reading.warnings.map(({ message, hint }) => `${message} ${hint ?? ""}`)).toEqual([
      '"grpc_adr" is no key of the env-manager and does nothing. Did you mean "grpc_addr"?',
      expect.stringMatching(/^"colour" is no key of the env-manager and does nothing\. Known: grpc_addr, /),
      '"requird" is no key of a service override and does nothing. Did you mean "required"?',
    ]);
  });

  it("tells every value that is wrong at once, with its path", () => {
    const wrong = `grpc_addr = 50100\nmax_concurrent_starts = 0\nverbose_logging = "yes"\n[[service_overrides]]\nrequired = 1\n[[service_overrides]]\nname = "redis"\nhealth_check_url = "localhost"\nenvironment = ["A", "=x"]\n`;
    expect(faultsOf(wrong)).toEqual([
      "0|grpc_addr|Expected an address, such as 0.0.0.0:50100, got 50100.",
      "0|max_concurrent_starts|Expected a whole number from 1 to 1000, got 0.",
      '0|verbose_logging|Expected true or false, got "yes".',
      "0|service_overrides[0].required|Expected true or false, got 1.",
      '0|service_overrides[0]|Expected "name" in a service override, got nothing.',
      '0|service_overrides[1].health_check_url|Expected an address, such as http://localhost:8082/health, got "localhost".',
      '0|service_overrides[1].environment[0]|Expected a variable, such as "NAME=value", got "A".',
      '0|service_overrides[1].environment[1]|Expected a variable, such as "NAME=value", got "=x".',
    ]);
  });

  it("tells where its syntax is broken", () => {
    expect(faultsOf('a = 1\nb = "x\n')).toEqual([expect.stringMatching(/^2\|\|Expected TOML: /)]);
    expect(faultsOf("a = 1\nverbose_logging = yes\n")).toEqual([
      '2||Expected TOML: invalid value, in "verbose_logging = yes".',
    ]);
    expect(faultsOf("a = 1\na = 2\n")).toEqual([expect.stringMatching(/^2\|\|Expected TOML: /)]);
    expect(faultsOf(`${"a.".repeat(100_000)}b = 1`)).toHaveLength(1);
    expect(faultsOf(`a = ${"[".repeat(10_000)}`)).toHaveLength(1);
    expect(faultsOf(" ".repeat(1_048_577))).toHaveLength(1);
  });

  it("never makes its reader throw, whatever it says", () => {
    const words = fc.constantFrom(
      ...printed.split(/(\s|[[\]="])/),
      "'",
      "#",
      "__proto__",
      "1979-05-27",
      "inf",
      "{",
      ",",
      ".",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(words).map((parts) => parts.join("")),
        ),
        (toml) => {
          const reading = readEnvManagerConfig(toml);
          expect("faults" in reading ? reading.faults.length : 1).toBeGreaterThan(0);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
