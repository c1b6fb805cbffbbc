import { describe, expect, it } from "vitest";
import { builtIn, findService } from "./built-in.ts";
import { applyOverrides, type ServiceOverride } from "./override.ts";

function setup() {
  const found = builtIn("lightweight");
  if (found === undefined) throw new Error("Expected lightweight, got nothing.");
  const { declaration } = found;
  const apply = (...overrides: ServiceOverride[]) => applyOverrides(declaration, overrides);
  const changed = (override: ServiceOverride) => findService(apply(override).declaration, override.name);
  return { declaration, apply, changed };
}

describe("overrides", () => {
  it("change what they name and leave the rest, and the declaration itself, as it is", () => {
    const { declaration, apply } = setup();
    const before = structuredClone(declaration);
    const { declaration: after, warnings } = apply(
      { name: "ollama", isRequired: true, image: "ollama/ollama:0.5.0", env: { A: "1" } },
      { name: "ollama", env: { A: "2", B: "3" } },
      { name: "reddb", isRequired: false, ports: [], stopGraceSeconds: 30 },
    );
    expect(warnings).toEqual([]);
    expect(declaration).toEqual(before);
    expect(findService(after, "ollama")).toEqual({
      ...findService(before, "ollama"),
      isRequired: true,
      image: "ollama/ollama:0.5.0",
      env: { A: "2", B: "3" },
    });
    expect(findService(after, "redb")).toMatchObject({ isRequired: false, ports: [], stopGraceSeconds: 30 });
    const others = (list: typeof before.services) => list.filter(({ name }) => name !== "ollama" && name !== "redb");
    expect(others(after.services)).toEqual(others(before.services));
  });

  it("of a service that is not there are told", () => {
    const { apply, declaration } = setup();
    expect(apply({ name: "rediss", isRequired: true })).toEqual({
      declaration,
      warnings: ['Expected a service of the environment "lightweight", got "rediss". Did you mean "redis"?'],
    });
  });

  it("check by an address from the node, and keep how often and how long", () => {
    const { changed, declaration } = setup();
    expect(changed({ name: "redb", healthCheckUrl: "http://localhost:8082/ready" })?.health).toEqual({
      ...findService(declaration, "redb")?.health,
      probe: { kind: "url", url: "http://localhost:8082/ready" },
    });
    expect(changed({ name: "kafka", healthCheckUrl: "tcp://localhost:9092" })?.health).toEqual({
      probe: { kind: "tcp", port: 29_092 },
      intervalSeconds: 10,
      timeoutSeconds: 5,
      retries: 3,
      startSeconds: 60,
    });
  });

  it("leave redis its PING where the address is that of its port, as in the guide", () => {
    const { changed } = setup();
    const probe = (healthCheckUrl: string) => changed({ name: "redis", healthCheckUrl })?.health?.probe;
    expect(probe("http://localhost:6379")).toEqual({ kind: "redis", port: 6379 });
    expect(probe("redis://localhost:6379")).toEqual({ kind: "redis", port: 6379 });
    expect(probe("http://localhost:9121/health")).toEqual({ kind: "url", url: "http://localhost:9121/health" });
  });
});
