import { describe, expect, it } from "vitest";
import { readEnvironment } from "./read-environment.ts";
import { around, compile, messagesOf, serviceOf } from "./testing.ts";

describe("a service", () => {
  it("has texts, numbers, flags and secrets as its variables", () => {
    expect(serviceOf("env: { A: x, B: 1.5, C: false, D: '', E: { secret: db-password } }").env).toEqual({
      A: "x",
      B: "1.5",
      C: "false",
      D: "",
      E: { secret: "db-password" },
    });
    expect(messagesOf("env: { A: , 1B: x, C: { secret: ../x }, D: { secrt: x } }")).toEqual([
      "Expected a text or a number or a flag or an object, got null.",
      'Expected the name of a variable: letters, digits and _, got "1B".',
      'Expected the name of a secret: letters, digits, _, . and -, got "../x".',
      'Expected a key of a secret, got "secrt".',
    ]);
  });

  it("says what becomes of changes by hand, or leaves it to its environment, and that to the node", () => {
    expect(serviceOf("drift: observe").drift).toBe("observe");
    const [own, left] = compile(
      "drover: environment/v1\nname: x\ndrift: observe\nservices: { a: { image: r, drift: converge }, b: { image: r } }",
    ).services;
    expect([own?.drift, left?.drift, serviceOf().drift]).toEqual(["converge", "observe", undefined]);
    expect(messagesOf("drift: show")).toEqual(['Expected "converge" or "observe", got "show".']);
  });

  it("has times that a timer can take: a day at most for a check or a stop", () => {
    for (const line of ["stopGrace: 60d", "health: { tcp: 80, timeout: 50d }", "health: { tcp: 80, start: 25h }"])
      expect(messagesOf(line)).toEqual([expect.stringContaining("up to a day")]);
    expect(serviceOf("stopGrace: 1d").stopGraceSeconds).toBe(86_400);
  });

  it("has an init only where it asks for one", () => {
    expect([serviceOf("init: true").hasInit, serviceOf().hasInit]).toEqual([true, undefined]);
  });

  it("has ports as Docker writes them, on 127.0.0.1 where nothing else is said", () => {
    const { ports } = serviceOf(
      "ports: [8080:80, 127.0.0.2:6379:6379, 81, '82', 53:53/udp, '[::1]:90:90', 10.0.0.1::91, { containerPort: 92, hostIp: 0.0.0.0 }]",
    );
    expect(
      ports.map(({ hostIp, hostPort, containerPort, protocol }) => [hostIp, hostPort, containerPort, protocol]),
    ).toEqual([
      ["127.0.0.1", 8080, 80, "tcp"],
      ["127.0.0.2", 6379, 6379, "tcp"],
      ["127.0.0.1", undefined, 81, "tcp"],
      ["127.0.0.1", undefined, 82, "tcp"],
      ["127.0.0.1", 53, 53, "udp"],
      ["::1", 90, 90, "tcp"],
      ["10.0.0.1", undefined, 91, "tcp"],
      ["0.0.0.0", undefined, 92, "tcp"],
    ]);
    for (const port of [
      "0:80",
      "80:0",
      "65536",
      "1.2.3:80:80",
      "256.0.0.1:80:80",
      "localhost:80:80",
      "80-90:80",
      ":80",
      "80/sctp",
      "x",
    ])
      expect(messagesOf(`ports: ['${port}']`)).toEqual([expect.stringMatching(/^Expected a port, such as/)]);
  });

  it("has volumes, folders of the node and memory as its mounts", () => {
    const text = `${around("image: x", "mounts: [data:/data, /srv/m:/m:ro, { volume: data, mountPath: /d, readOnly: true }, { hostPath: /s, mountPath: /s }, { tmpfs: /t, size: 64M }]")}\nvolumes: { data: }\n`;
    const reading = readEnvironment({ text });
    expect("declaration" in reading && reading.declaration.services[0]?.mounts).toEqual([
      { kind: "volume", volume: "data", mountPath: "/data", isReadOnly: false },
      { kind: "bind", hostPath: "/srv/m", mountPath: "/m", isReadOnly: true },
      { kind: "volume", volume: "data", mountPath: "/d", isReadOnly: true },
      { kind: "bind", hostPath: "/s", mountPath: "/s", isReadOnly: false },
      { kind: "tmpfs", mountPath: "/t", sizeBytes: 67_108_864 },
    ]);
    expect(
      messagesOf("mounts: [./x:/x, data, /a:b, { mountPath: /x }, { tmpfs: /t, hostPath: /h }, { tmpfs: t }]"),
    ).toEqual([
      expect.stringMatching(/^Expected a mount, such as .* got "\.\/x:\/x"\.$/),
      expect.stringMatching(/got "data"\.$/),
      expect.stringMatching(/got "\/a:b"\.$/),
      "Expected a mount that is {volume, mountPath, readOnly}, {hostPath, mountPath, readOnly} or {tmpfs, size}, got mountPath.",
      expect.stringMatching(/got hostPath, tmpfs\.$/),
      'Expected an absolute path, got "t".',
    ]);
    expect(messagesOf("mounts: [/a:/x, /b:/x/]")).toEqual(['Expected one mount at "/x", got a second one.']);
  });

  it("has one of six ways to be checked", () => {
    const probe = (written: string) => serviceOf(`health: ${written}`).health?.probe;
    expect(probe("{ http: 8080 }")).toEqual({ kind: "http", port: 8080, path: "/", scheme: "http" });
    expect(probe("{ http: 8080/a?b=c }")).toEqual({ kind: "http", port: 8080, path: "/a?b=c", scheme: "http" });
    expect(probe("{ http: { port: 1, path: /x, scheme: https, headers: { Host: a } } }")).toEqual({
      kind: "http",
      port: 1,
      path: "/x",
      scheme: "https",
      headers: { Host: "a" },
    });
    expect(probe("{ url: 'http://localhost:8082/health' }")).toEqual({
      kind: "url",
      url: "http://localhost:8082/health",
    });
    expect(probe("{ tcp: 1 }")).toEqual({ kind: "tcp", port: 1 });
    expect(probe("{ command: pg_isready -U x }")).toEqual({ kind: "command", command: ["pg_isready", "-U", "x"] });
    expect(probe("{ redis: 6379 }")).toEqual({ kind: "redis", port: 6379 });
    expect(probe("{ grpc: 50051 }")).toEqual({ kind: "grpc", port: 50_051 });
    expect(probe("{ grpc: { port: 50051, service: a.B } }")).toEqual({ kind: "grpc", port: 50_051, service: "a.B" });
    expect(serviceOf("health: { tcp: 1, interval: 250ms, timeout: 2, retries: 1, start: 2m }").health).toMatchObject({
      intervalSeconds: 0.25,
      timeoutSeconds: 2,
      retries: 1,
      startSeconds: 120,
    });
  });

  it.each([
    [
      "health: { interval: 1s }",
      "Expected a health check with one of http, url, tcp, command, redis, grpc, got an object.",
    ],
    ["health: { tcp: 1, redis: 1 }", 'Expected one of "tcp" and "redis", got both.'],
    [
      "health: { http: 70000/x }",
      'Expected a port from 1 to 65535 with or without a path, such as 8080/health, got "70000/x".',
    ],
    ["health: { url: localhost }", 'Expected an address that begins with http:// or https://, got "localhost".'],
    ["health: { tcp: 1, timeout: 70s }", "Expected a timeout of at most the 60 s that the start may take, got 70 s."],
    ["restart: unless-stopped", 'Expected "always", "on-failure" or "never", got "unless-stopped".'],
    ["restart: { baseDelay: 5s, maxDelay: 1s }", "Expected a maxDelay of at least the baseDelay, 5 s, got 1 s."],
    ["resources: { memory: 1M }", 'Expected at least 6M of memory, which is the least that Docker takes, got "1M".'],
    [
      "resources: { gpus: { profile: 1g.10gb, share: whole } }",
      'Expected a profile only with share: mig, got "whole".',
    ],
    ["resources: { gpus: 65 }", "Expected a whole number from 0 to 64, got 65."],
    ["replicas: 1001", "Expected a whole number from 0 to 1000, got 1001."],
    [
      "placement: { labels: { a: b }, notLabels: { a: '' } }",
      'Expected nodes with or without the label "a", got both.',
    ],
    ["placement: { models: [../x] }", `Expected a path below the nodes' model folders, got "../x".`],
    [
      "labels: { drover.replica: x }",
      'Expected a label of your own, got "drover.replica": drover. is kept for Drover.',
    ],
    ["user: 'a b'", 'Expected a user with or without a group, such as 1000:1000, got "a b".'],
    ["workingDir: x", 'Expected an absolute path, got "x".'],
    [
      "onDisconnect: { stopAfter: 0 }",
      "Expected a duration from 1 s, such as 90s, 10m, 1h30m or a number of seconds, up to a year, got 0.",
    ],
  ])("is refused with %s", (line, message) => {
    expect(messagesOf(line)).toEqual([message]);
  });

  it("has resources, restarts, updates, a placement and what happens at a cut", () => {
    expect(serviceOf("resources: { cpu: 0.5, memory: 2G, pids: 100, shm: 1G, gpus: 2 }").resources).toEqual({
      cpuMillicores: 500,
      memoryBytes: 2 * 1024 ** 3,
      pids: 100,
      shmBytes: 1024 ** 3,
      gpus: { count: 2, share: "whole" },
    });
    expect(
      serviceOf("resources: { gpus: { profile: 1g.10gb, model: H100, class: fast, memory: 9.5G } }").resources,
    ).toEqual({
      gpus: { count: 1, share: "mig", profile: "1g.10gb", model: "H100", class: "fast", memoryMib: 9728 },
    });
    expect(serviceOf("resources: { gpus: 0 }").resources).toEqual({});
    // None of a kind would mean nothing.
    expect(messagesOf("resources: { gpus: { share: mig, count: 0 } }")).toEqual([
      "Expected a whole number from 1 to 64, got 0.",
    ]);
    expect(serviceOf("restart: on-failure").restart).toMatchObject({ when: "on-failure" });
    expect(serviceOf("restart: { maxRestarts: 3, baseDelay: 40s }").restart).toEqual({
      when: "always",
      maxRestarts: 3,
      baseDelaySeconds: 40,
      maxDelaySeconds: 40,
    });
    expect(serviceOf("update: { maxUnavailable: 2, healthy: 0, onFailure: rollback }").update).toEqual({
      maxUnavailable: 2,
      healthySeconds: 0,
      onFailure: "rollback",
    });
    expect(
      serviceOf("placement: { node: n1, labels: { zone: a }, tolerates: ['*'], strategy: spread, models: [a/b.gguf] }")
        .placement,
    ).toEqual({
      node: "n1",
      labels: { zone: "a" },
      notLabels: {},
      tolerates: ["*"],
      strategy: "spread",
      models: ["a/b.gguf"],
    });
    const cut = (written: string) => serviceOf(`onDisconnect: ${written}`).onDisconnect;
    expect([cut("replace"), cut("stop"), cut("{ stopAfter: 5m }")]).toEqual([
      { kind: "replace" },
      { kind: "stop", afterSeconds: 60 },
      { kind: "stop", afterSeconds: 300 },
    ]);
    const rest =
      "{ pull: always, required: false, stopGrace: 1500ms, user: 1000, workingDir: /w, readOnlyRoot: true, labels: { a: 1 } }";
    expect(serviceOf(...rest.slice(2, -2).split(/, (?=[a-zA-Z]+: )/))).toMatchObject({
      pull: "always",
      isRequired: false,
      stopGraceSeconds: 2,
      user: "1000",
      workingDir: "/w",
      isReadOnlyRoot: true,
      labels: { a: "1" },
    });
  });
});
