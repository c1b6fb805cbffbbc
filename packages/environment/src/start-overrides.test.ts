import { describe, expect, it } from "vitest";
import { builtIn } from "./built-in.ts";
import { readStartOverrides } from "./start-overrides.ts";

function read(overrides: Record<string, string>) {
  const found = builtIn("lightweight");
  if (found === undefined) throw new Error("Expected lightweight, got nothing.");
  return readStartOverrides(overrides, found.declaration);
}

function faultsOf(overrides: Record<string, string>): string[] {
  const reading = read(overrides);
  return "faults" in reading ? reading.faults.map(({ field, message }) => `${field}: ${message}`) : [];
}

describe("the overrides of a start", () => {
  it("name a service and what is changed about it", () => {
    expect(read({})).toEqual({ overrides: [] });
    expect(
      read({
        "redis.image": "redis:8",
        "redis.env.A.b": "x=y",
        "redis.env.B": "",
        "reddb.required": "False",
        "redb.health_check_url": "http://localhost:8082/",
        "ollama.ports": "9999:11434, 0.0.0.0:53:53/udp",
        "kafka.ports": "",
      }),
    ).toEqual({
      overrides: [
        { name: "redis", image: "redis:8", env: { "A.b": "x=y", B: "" } },
        { name: "redb", isRequired: false, healthCheckUrl: "http://localhost:8082/" },
        {
          name: "ollama",
          ports: [
            { containerPort: 11_434, hostPort: 9999, hostIp: "127.0.0.1", protocol: "tcp" },
            { containerPort: 53, hostPort: 53, hostIp: "0.0.0.0", protocol: "udp" },
          ],
        },
        { name: "kafka", ports: [] },
      ],
    });
  });

  it("that nobody knows are all told, by their keys", () => {
    expect(
      faultsOf({
        gpu: "true",
        "rediss.image": "x",
        "redis.imge": "x",
        "redis.image.tag": "x",
        "redis.image": "Redis",
        "redis.required": "maybe",
        "redis.health_check_url": "localhost",
        "redis.ports": "x",
        "redis.env": "x",
        "redis.env.1": "x",
        "redis.constructor": "x",
      }),
    ).toEqual([
      'gpu: Expected <service>.<key>, such as redis.image, got "gpu".',
      'rediss.image: Expected a service of the environment "lightweight", got "rediss". Did you mean "redis"?',
      'redis.imge: Expected an override that is known, got "imge". Did you mean "image"?',
      expect.stringMatching(/^redis\.image\.tag: Expected an override that is known, got "image\.tag"/),
      'redis.image: Expected an image, such as redis:7-alpine, got "Redis".',
      'redis.required: Expected true or false, got "maybe".',
      expect.stringMatching(/^redis\.health_check_url: Expected an address that begins with .*, got "localhost"\.$/),
      'redis.ports: Expected ports, such as "8080:80, 127.0.0.1:53:53/udp", got "x".',
      'redis.env: Expected the name of a variable: letters, digits and _ behind env., got "".',
      'redis.env.1: Expected the name of a variable: letters, digits and _ behind env., got "1".',
      'redis.constructor: Expected an override that is known, got "constructor". Known: image, required, health_check_url, ports, env.NAME.',
    ]);
  });

  it("may not give one port of the node to two", () => {
    expect(faultsOf({ "redis.ports": "8082:6379" })).toEqual([
      'redis.ports: Expected a port of the node for "redb" alone, got 8082/tcp, that of "redis".',
    ]);
  });
});
