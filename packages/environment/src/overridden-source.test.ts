import { describe, expect, it } from "vitest";
import { builtIn, findService } from "./built-in.ts";
import { readEnvManagerConfig } from "./env-manager-config.ts";
import { applyOverrides } from "./override.ts";
import { overriddenSource } from "./overridden-source.ts";
import { readEnvironment } from "./read-environment.ts";

function setup(toml: string, startSeconds?: number) {
  const base = builtIn("lightweight");
  const read = readEnvManagerConfig(toml);
  if (base === undefined || "faults" in read) throw new Error("Expected an environment and overrides.");
  const overrides = read.serviceOverrides;
  const { text, warnings } = overriddenSource({ ...base, overrides, ...(startSeconds && { startSeconds }) });
  const reading = readEnvironment({ text });
  if ("faults" in reading) throw new Error(JSON.stringify(reading.faults));
  return { declaration: reading.declaration, warnings, base, expected: applyOverrides(base.declaration, overrides) };
}

describe("a document with overrides", () => {
  it("declares what the overrides of the guide make of the environment", () => {
    const { declaration, expected, warnings } = setup(`
      [[service_overrides]]
      name = "redis"
      required = true
      health_check_url = "http://localhost:6379"

      [[service_overrides]]
      name = "ollama"
      required = true
      environment = ["OLLAMA_DEBUG=1", "EMPTY="]

      [[service_overrides]]
      name = "reddb"
      health_check_url = "http://localhost:8082/ready"`);
    expect(declaration).toEqual(expected.declaration);
    expect(findService(declaration, "redis")?.health?.probe).toEqual({ kind: "redis", port: 6379 });
    expect(findService(declaration, "redb")?.health?.probe).toEqual({
      kind: "url",
      url: "http://localhost:8082/ready",
    });
    expect(findService(declaration, "ollama")).toMatchObject({
      isRequired: true,
      env: { OLLAMA_DEBUG: "1", EMPTY: "" },
    });
    expect(warnings).toEqual([]);
  });

  it("gives every start that is checked the time that the configuration allows", () => {
    const { declaration, base } = setup("", 90);
    expect(declaration.services.map(({ name, health }) => [name, health?.startSeconds])).toEqual(
      base.declaration.services.map(({ name, health }) => [name, health && 90]),
    );
  });

  it("leaves the rest as it is and tells of services that are not there", () => {
    const { declaration, base, warnings } = setup('[[service_overrides]]\nname = "rediss"\nrequired = false');
    expect(declaration).toEqual(base.declaration);
    expect(warnings).toEqual([
      'Expected a service of the environment "lightweight", got "rediss". Did you mean "redis"?',
    ]);
  });
});
