import { startOrder } from "@drover/domain/environment/dependency";
import { describe, expect, it } from "vitest";
import { builtIn, findService } from "./built-in.ts";
import { compile } from "./testing.ts";

describe("the built-in environment", () => {
  const found = builtIn("lightweight");
  if (found === undefined) throw new Error("Expected lightweight, got nothing.");
  const { text, declaration } = found;

  it("has the services of the env-manager, with their ports on 127.0.0.1", () => {
    const rows = declaration.services.map(({ name, image, ports, dependsOn, health, isRequired }) => [
      name,
      image,
      ports.map(({ hostIp, hostPort, containerPort }) => `${hostIp}:${hostPort}:${containerPort}`).join(),
      dependsOn.join(),
      health?.probe.kind,
      isRequired,
    ]);
    expect(rows).toEqual([
      ["redis", "redis:7-alpine", "127.0.0.1:6379:6379", "", "redis", true],
      ["redb", "dspy-lightweight:latest", "127.0.0.1:8082:8080", "", "http", true],
      ["ollama", "ollama/ollama:latest", "127.0.0.1:11435:11434", "", "http", false],
      ["infermesh-node-a", "official-infermesh:latest", "", "redis", undefined, false],
      ["infermesh-node-b", "official-infermesh:latest", "", "redis", undefined, false],
      [
        "infermesh-router",
        "official-infermesh:latest",
        "127.0.0.1:19000:9000",
        "infermesh-node-a,infermesh-node-b",
        "http",
        false,
      ],
      ["zookeeper", "confluentinc/cp-zookeeper:7.5.0", "127.0.0.1:2181:2181", "", undefined, false],
      ["kafka", "confluentinc/cp-kafka:7.5.0", "127.0.0.1:9092:29092", "zookeeper", undefined, false],
      ["prometheus", "prom/prometheus:latest", "127.0.0.1:9090:9090", "", "http", false],
    ]);
    expect(new Set(declaration.services.flatMap(({ networks }) => networks))).toEqual(new Set(["lightweight_default"]));
    expect(startOrder(declaration.services)).toHaveLength(3);
  });

  it("reads equal from its text", () => {
    expect(compile(text)).toEqual(declaration);
  });

  it("is the only one", () => {
    expect(builtIn("heavyweight")).toBeUndefined();
  });

  it("knows redb by its other name as well, unless a service has it", () => {
    expect(findService(declaration, "reddb")?.name).toBe("redb");
    expect(findService(declaration, "redb")?.name).toBe("redb");
    expect(findService(declaration, "nobody")).toBeUndefined();
    const own = compile("drover: environment/v1\nname: x\nservices: { redb: { image: a }, reddb: { image: b } }\n");
    expect(findService(own, "reddb")?.image).toBe("b");
  });
});
