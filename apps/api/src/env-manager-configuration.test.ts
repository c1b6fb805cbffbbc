import { createLog } from "@drover/daemon/log";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createEnvManagerBench, type EnvManagerBench } from "./compat/env-manager/testing.ts";
import { createEnvManagerConfiguration, readEnvManagerFile } from "./env-manager-configuration.ts";

let bench: EnvManagerBench;
beforeAll(async () => {
  bench = await createEnvManagerBench();
});
afterAll(() => bench.close());

// As the guide prints it.
const guide = `grpc_addr = "0.0.0.0:50100"
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

function setup(text: string) {
  const file = { text };
  const lines: string[] = [];
  const log = createLog({ app: "test", level: "info", to: { write: (line) => void lines.push(line) } });
  const configuration = createEnvManagerConfiguration({
    deps: bench.api.deps,
    log,
    environment: "lightweight",
    path: "/env-manager.toml",
    readFile: () => file.text,
  });
  return { file, configuration, lines };
}

const generation = async () => (await bench.environments.getEnvironment({ name: "lightweight" })).environment;

it("takes the guide's file as printed, starts nothing, and touches on a reload only what it changes", async () => {
  const { file, configuration, lines } = setup(guide);
  await configuration.start();
  expect(await generation()).toMatchObject({ generation: 1, message: "All services are stopped." });
  for await (const _ of bench.client.startServices({ serviceNames: ["redis", "prometheus"], parallel: true }));
  const redis = bench.wanted("redis");
  expect(redis?.spec.service.health).toMatchObject({ probe: { kind: "redis", port: 6379 }, startSeconds: 60 });

  await configuration.reload();
  expect((await generation())?.generation).toBe(1);

  file.text = `${guide.replace("= 60", "= 90").replace("= 30", "= 45")}\n[[service_overrides]]\nname = "prometheus"\nenvironment = ["A=1"]\n`;
  const before = bench.wanted("prometheus");
  await configuration.reload();
  await expect.poll(() => bench.wanted("prometheus")?.spec.service.env).toEqual({ A: "1" });
  expect(bench.wanted("prometheus")?.specHash).not.toBe(before?.specHash);
  // Its patience is new, its container is not.
  expect(bench.wanted("redis")?.spec.service.health?.startSeconds).toBe(90);
  expect(bench.wanted("redis")).toMatchObject({ specHash: redis?.specHash, round: redis?.round, id: redis?.id });

  file.text = 'max_concurrent_starts = "many"\n[[service_overrides]]\nrequired = 1\n';
  await configuration.reload();
  expect(lines.at(-1)).toContain("was not taken up, and nothing was changed");
  expect(lines.at(-1)).toContain("/env-manager.toml: service_overrides[0].required: ");
  expect((await generation())?.generation).toBe(2);

  file.text = '[[service_overrides]]\nname = "rediss"\nrequired = false\n';
  await configuration.reload();
  const unknown = 'service_overrides: Expected a service of the environment "lightweight", got "rediss".';
  expect(JSON.parse(lines.at(-1) ?? "{}")).toMatchObject({ error: { message: expect.stringContaining(unknown) } });
  await expect(configuration.start()).rejects.toThrow('Did you mean "redis"?');
  expect((await generation())?.generation).toBe(2);

  file.text = "";
  await configuration.reload();
  await expect.poll(() => bench.wanted("prometheus")?.spec.service.env).toEqual({});
  expect((await generation())?.source).toContain("# The services of the env-manager");

  await bench.environments.applyEnvironment({
    source: "{drover: environment/v1, name: lightweight, services: {redis: {image: redis:8}}}",
  });
  file.text = guide;
  await configuration.reload();
  expect(lines.at(-1)).toContain("the file does not change an environment that anonymous applied");
  expect((await generation())?.source).toContain("redis:8");
});

it("refuses to start with a file that is broken or not there, with every fault", () => {
  const read = (text: string) => readEnvManagerFile("/a.toml", () => text);
  expect(() => read("grpc_addr = 1\nmax_concurrent_starts = 0")).toThrow(
    /^\/a\.toml: grpc_addr: .*\n\/a\.toml: max_concurrent_starts: /,
  );
  expect(() => read("grpc_addr = ")).toThrow(/^\/a\.toml:1:\d+ Expected TOML/);
  const missing = () =>
    readEnvManagerFile("/a.toml", () => {
      throw new Error("ENOENT");
    });
  expect(missing).toThrow("Expected a file that can be read at /a.toml: ENOENT.");
});
