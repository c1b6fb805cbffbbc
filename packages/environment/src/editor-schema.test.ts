import { Validator } from "@cfworker/json-schema";
import { describe, expect, it } from "vitest";
import { builtIn } from "./built-in.ts";
import { editorSchema } from "./editor-schema.ts";

function setup() {
  const validator = new Validator(editorSchema(), "2020-12");
  const isValid = (service: object, more: object = {}) =>
    validator.validate({ drover: "environment/v1", name: "x", services: { a: service }, ...more }).valid;
  return { isValid };
}

describe("the schema for editors", () => {
  it("takes what the reader takes", () => {
    const { isValid } = setup();
    expect(isValid({ image: "redis:7" })).toBe(true);
    const full = {
      image: "localhost:5000/a/b:1",
      command: "a b",
      env: { A: 1, B: { secret: "x" } },
      ports: [80, "8080:80", { containerPort: 81 }],
      mounts: ["a:/b", { tmpfs: "/t", size: "64M" }],
      dependsOn: "b",
      health: { http: "8080/health", interval: "5s" },
      restart: "never",
      resources: { gpus: { count: 1, profile: "1g.10gb" } },
      onDisconnect: { stopAfter: "5m" },
      user: 1000,
    };
    expect(isValid(full, { networks: { a: null, b: { internal: true } }, together: false })).toBe(true);
  });

  it("refuses what it refuses: keys, kinds, names and counts", () => {
    const { isValid } = setup();
    const wrong = [
      {},
      { image: "Redis" },
      { image: "x", dependson: "b" },
      { image: "x", replicas: 1001 },
      { image: "x", health: {} },
      { image: "x", health: { tcp: 1, redis: 1 } },
      { image: "x", restart: "no" },
      { image: "x", ports: [70_000] },
    ];
    expect(wrong.map((service) => isValid(service))).toEqual(wrong.map(() => false));
    expect(isValid({ image: "x" }, { services: {} })).toBe(false);
    expect(isValid({ image: "x" }, { services: { a_b: { image: "x" } } })).toBe(false);
    expect(isValid({ image: "x" }, { name: "X" })).toBe(false);
  });

  it("is what the built-in environment was written by", () => {
    const { properties } = editorSchema() as { properties: object };
    const keys = [...(builtIn("lightweight")?.text.matchAll(/^(\w+):/gm) ?? [])].map(([, key = ""]) => key);
    expect(keys).toEqual(["drover", "name", "networks", "volumes", "services"]);
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(keys));
  });
});
