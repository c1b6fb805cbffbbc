import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import type { Json } from "@drover/domain/json";
import { findCycle } from "@drover/domain/environment/dependency";
import { builtIn } from "./built-in.ts";
import { readEnvironment } from "./read-environment.ts";
import { around, compile, faultsOf, serviceOf } from "./testing.ts";

describe("an environment", () => {
  it("has a default for everything but its name and its images", () => {
    expect(compile(around("image: redis:7-alpine"))).toEqual({
      name: "test",
      services: [
        {
          name: "one",
          image: "redis:7-alpine",
          pull: "missing",
          env: {},
          ports: [],
          mounts: [],
          networks: ["default"],
          dependsOn: [],
          isRequired: true,
          restart: { when: "always", baseDelaySeconds: 0.5, maxDelaySeconds: 30 },
          resources: {},
          replicas: 1,
          placement: { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [] },
          update: { maxUnavailable: 1, healthySeconds: 5, onFailure: "pause" },
          onDisconnect: { kind: "keep" },
          stopGraceSeconds: 10,
          isReadOnlyRoot: false,
          labels: {},
        },
      ],
      networks: [{ name: "default" }],
      volumes: [],
      isTogether: true,
      labels: {},
    });
    expect(serviceOf("health: { tcp: 6379 }").health).toEqual({
      probe: { kind: "tcp", port: 6379 },
      intervalSeconds: 10,
      timeoutSeconds: 5,
      retries: 3,
      startSeconds: 60,
    });
  });

  it("may have networks, volumes and labels, and be spread over nodes", () => {
    const text = `${around("image: redis")}
networks: { back: { internal: true }, outside: { external: true } }
volumes: { data: , models: { external: true } }
together: false
labels: { team: search, cost: 7 }
`;
    const { services, ...rest } = compile(text);
    expect(services[0]?.networks).toEqual(["back"]);
    expect(rest).toEqual({
      name: "test",
      networks: [
        { name: "back", isInternal: true },
        { name: "outside", isExternal: true },
      ],
      volumes: [{ name: "data" }, { name: "models", isExternal: true }],
      isTogether: false,
      labels: { team: "search", cost: "7" },
    });
  });

  it("of an object is read the same, with paths instead of lines", () => {
    const json: Json = { drover: "environment/v1", name: "test", services: { one: { image: "redis", replicas: 2 } } };
    expect(readEnvironment({ json })).toEqual(readEnvironment({ text: stringify(json) }));
    expect(readEnvironment({ json: { ...json, together: 1 } })).toMatchObject({
      faults: [{ line: 0, column: 0, path: "together", message: "Expected true or false, got 1." }],
    });
    expect(readEnvironment({})).toMatchObject({
      faults: [{ message: "Expected an environment (an object), got null." }],
    });
  });

  it("tells every fault at once, wherever it stands, and what was probably meant", () => {
    const text = `drover: environment/v2
name: Shop
networks: { back: , host: , both: { internal: true, external: true } }
volumes: { data: }
servces: {}
services:
  redis: { image: "redis:7 alpine", dependsOn: rediz }
  web:
    image: Nginx
    dependsOn: [redis, worker]
    networks: bak
    mounts: [dta:/data]
  worker:
    dependson: web
    replicas: -1
  cache_1: { image: redis }
  nothing:
`;
    expect(faultsOf(text)).toEqual([
      '1:9 Expected "environment/v1", got "environment/v2".',
      '2:7 Expected a name of small letters, digits and -, at most 63 characters, got "Shop".',
      '3:21 Expected a name that Docker has not taken, got "host".',
      "3:35 Expected a network that is internal or external, got both.",
      '5:1 Expected a key of an environment, got "servces".',
      '7:19 Expected an image, such as redis:7-alpine, with or without @sha256:…, got "redis:7 alpine".',
      '7:48 Expected a service, got "rediz".',
      '9:12 Expected an image, such as redis:7-alpine, with or without @sha256:…, got "Nginx".',
      '11:15 Expected a network of the environment, got "bak".',
      '12:14 Expected a volume of the environment, got "dta".',
      '14:5 Expected "image" in a service, got nothing.',
      '14:5 Expected a key of a service, got "dependson".',
      "15:15 Expected a whole number from 0 to 1000, got -1.",
      '16:3 Expected a name of small letters, digits and -, at most 63 characters, for a service, got "cache_1".',
      "17:11 Expected a service (an object), got null.",
    ]);
    const reading = readEnvironment({ text });
    const hints = "faults" in reading ? reading.faults.map(({ hint }) => hint) : [];
    expect(hints).toEqual(
      expect.arrayContaining([
        'Did you mean "services"?',
        'Did you mean "redis"?',
        'Did you mean "back"?',
        'Did you mean "data"?',
        'Did you mean "dependsOn"?',
        "Write the name in small letters.",
      ]),
    );
  });

  it("is no workflow, which is told once", () => {
    const reading = readEnvironment({ text: "drover: workflow/v1\nname: x\nsteps: { a: { value: 1 } }\n" });
    expect(reading).toMatchObject({
      faults: [
        {
          line: 1,
          column: 9,
          message: "Expected an environment, got a workflow (workflow/v1).",
          hint: 'Check it with "drover workflow validate".',
        },
      ],
    });
    expect(reading).not.toHaveProperty("faults.1");
  });

  it("has one fault for one misspelt key, and shows all keys of a service where none is like it", () => {
    expect(faultsOf(around("imgae: redis"))).toEqual(['5:5 Expected a key of a service, got "imgae".']);
    const reading = readEnvironment({ text: around("image: redis", "colour: red") });
    expect(reading).toMatchObject({
      faults: [{ hint: expect.stringMatching(/^Known: image, .*drift, labels\.$/) as string }],
    });
  });

  it("needs a service, and at most a hundred", () => {
    expect(faultsOf("drover: environment/v1\nname: x\nservices: {}\n")).toEqual([
      "3:11 Expected at least one service, got none.",
    ]);
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`s${index}`, { image: "x" }]));
    expect(faultsOf(stringify({ drover: "environment/v1", name: "x", services: many }))).toEqual([
      "4:3 Expected at most 100 services, got 101.",
    ]);
    delete many["s100"];
    expect(compile(stringify({ drover: "environment/v1", name: "x", services: many })).services).toHaveLength(100);
  });

  it("may not be blown up by aliases", () => {
    const lines = Array.from({ length: 99 }, (_, index) => `  s${index}: { image: x, command: *c }`);
    const text = `drover: environment/v1\nname: x\nservices:\n  a: { image: x, command: &c [${"x".repeat(99_000)}] }\n`;
    expect(faultsOf(text + lines.join("\n"))).toEqual([
      "1:1 Expected an environment of at most 4194304 bytes with its aliases copied.",
    ]);
    expect(faultsOf(text + lines.slice(0, 30).join("\n"))).toEqual([]);
  });
});

describe("a reader of anything", () => {
  const { text } = builtIn("lightweight") ?? { text: "" };

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (any) => {
        expect(readEnvironment({ text: any })).toHaveProperty("faults");
      }),
    );
  });

  it("never throws on an environment with a part replaced, and what it takes holds together", () => {
    const lines = text.split("\n");
    const values = fc.constantFrom(
      "x",
      "1",
      "-1",
      "true",
      "null",
      "[]",
      "{}",
      "redis",
      "1:1",
      "/a:/b",
      '"$A | b"',
      "[[1]]",
    );
    fc.assert(
      fc.property(
        fc.nat(lines.length - 1),
        fc.nat(lines.length - 1),
        values,
        fc.nat(2),
        (one, other, value, change) => {
          const changed = [...lines];
          if (change === 0) changed.splice(one, 1);
          else if (change === 1) changed.splice(one, 0, lines[other] ?? "");
          else changed[one] = (lines[one] ?? "").replace(/: .*/, `: ${value}`);
          const reading = readEnvironment({ text: changed.join("\n") });
          if ("faults" in reading) {
            expect(reading.faults.length).toBeGreaterThan(0);
            return;
          }
          const { services, networks, volumes } = reading.declaration;
          const names = services.map(({ name }) => name);
          expect(findCycle(services)).toBeUndefined();
          for (const service of services) {
            for (const name of service.dependsOn) expect(names).toContain(name);
            for (const name of service.networks) expect(networks.map((network) => network.name)).toContain(name);
            for (const mount of service.mounts)
              if (mount.kind === "volume") expect(volumes.map((volume) => volume.name)).toContain(mount.volume);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
