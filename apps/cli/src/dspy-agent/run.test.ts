import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";
import { EnvManagerService } from "@drover/proto/env_manager/env_manager";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

const main = join(import.meta.dirname, "main.ts");
const image = "drover-test-busybox:1";

let home = "";
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "drover-dspy-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Ended {
  code: number;
  out: string;
  err: string;
}

function run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const own = { PATH: process.env["PATH"] ?? "", HOME: home, TMPDIR: home, ...env };
    execFile(command, args, { env: own, cwd: home, timeout: 110_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err });
    });
  });
}

const dspyAgent = (args: readonly string[], env: Record<string, string> = {}) =>
  run(process.execPath, [main, ...args], env);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("dspy-agent", () => {
  it("shows its help and its version, and refuses what it does not know", async () => {
    expect(await dspyAgent(["--help"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("dspy-agent start [--work"),
    });
    expect(await dspyAgent(["version"])).toMatchObject({ code: 0, out: "dspy-agent 0.1.0 (Drover)\n" });
    expect(await dspyAgent(["begin"])).toMatchObject({ code: 2, err: expect.stringContaining('got "begin"') });
    expect(await dspyAgent(["start", "--fast"])).toMatchObject({ code: 2, err: expect.stringContaining("--fast") });
  });

  it("writes its configuration once, and shows what holds", async () => {
    expect((await dspyAgent(["config", "show"])).out).toContain("is not there: these are the defaults");
    expect(await dspyAgent(["config", "init"])).toMatchObject({ code: 0 });
    expect(await dspyAgent(["config", "init"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("is there already"),
    });
    const { out } = await dspyAgent(["config", "show"]);
    expect(out).toContain('env_manager_addr = "localhost:50100"');
    expect(out).not.toContain("defaults");
    rmSync(join(home, ".dspy-agent"), { recursive: true });
  });

  it("says that there is nothing to show where no service has a container, and warns of keys that do nothing", async () => {
    const server = createHttpServer(
      connectNodeAdapter({
        routes: (router) => void router.service(EnvManagerService, { getServicesStatus: () => ({}) }),
        fallback: (_, response) => void response.end("{}"),
      }),
    ).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    mkdirSync(join(home, ".dspy-agent"), { recursive: true });
    const text = `env_manager_addr = "localhost:${port}"\nworkspce = "x"\n`;
    writeFileSync(join(home, ".dspy-agent", "config.toml"), text);
    const { code, out, err } = await dspyAgent(["logs"]);
    expect({ code, out }).toEqual({ code: 0, out: "" });
    expect(err).toContain('"workspce" is no key of dspy-agent and does nothing. Did you mean "workspace"?\n');
    expect(err).toContain("No service has a container: there is nothing to show.\n");
  });

  it("finds nothing to stop where nothing runs", async () => {
    const file = join(home, ".dspy-agent", "config.toml");
    mkdirSync(join(home, ".dspy-agent"), { recursive: true });
    writeFileSync(file, `env_manager_addr = "localhost:${await freePort()}"\n`);
    expect(await dspyAgent(["stop"])).toMatchObject({ code: 0, out: "Nothing runs.\n" });
    expect(await dspyAgent(["status"])).toMatchObject({ code: 4, err: expect.stringContaining("dspy-agent start") });
  });

  it(
    "starts everything in the background, ends with 0 when the services run, and stops it",
    { timeout: 180_000 },
    async ({ skip }) => {
      const lack = await findLack();
      if (lack !== undefined) {
        if (process.env["CI"] === "true") throw new Error(lack);
        skip(lack);
      }
      const [port, envManagerPort] = [await freePort(), await freePort()];
      const name = `dspy${process.pid}`;
      const address = `127.0.0.1:${envManagerPort}`;
      writeFileSync(join(home, ".dspy-agent", "config.toml"), `env_manager_addr = "localhost:${envManagerPort}"\n`);
      const env = {
        DROVER_LISTEN: `127.0.0.1:${port},${address}`,
        DROVER_API_ENV_MANAGER_ENVIRONMENT: name,
        DROVER_AGENT_NODE: name,
        DROVER_AGENT_LISTEN: "127.0.0.1:0",
        ENV_MANAGER_CONFIG: join(home, "env-manager.toml"),
      };
      writeFileSync(env.ENV_MANAGER_CONFIG, '[[service_overrides]]\nname = "redis"\nrequired = false\n');
      try {
        const first = await dspyAgent(["start", "--workspace", home], env);
        expect(first.out).toContain("Drover is up");
        expect(first.err).toContain(`Environment "${name}", of which the env-manager speaks, is not there.`);
        expect(first.code).toBe(1);
        await apply(address, name);

        const second = await dspyAgent(["start", "--services", "web"], env);
        expect(second).toMatchObject({ code: 0, err: "" });
        expect(second.out).toContain("Drover is there already");
        expect(second.out).toMatch(/db +running +100 %[^]*web +running +100 %/);
        expect(second.out).toMatch(/Ready\.\n$/);

        const { out } = await dspyAgent(["status"], env);
        expect(out).toMatch(/Orchestrator healthy, env-manager localhost:\d+, process \d+\./);
        expect(out).toMatch(/db +running +[0-9a-f]{12}/);
        expect(out).toMatch(/web +running +[0-9a-f]{12} +\S* +healthy/);
        expect(await dspyAgent(["logs", "--service", "web", "-n", "1"], env)).toMatchObject({
          code: 0,
          out: "line 3\n",
        });
        expect((await dspyAgent(["logs"], env)).out).toContain("web | line 1\n");

        const pid = readFileSync(join(home, "dspy-agent.pid"), "utf8").trim();
        const said = () => readFileSync(join(home, ".dspy-agent", "drover.log"), "utf8");
        expect(said()).not.toContain("that anonymous applied");
        process.kill(Number(pid), "SIGHUP");
        await expect.poll(said, { timeout: 10_000 }).toContain("that anonymous applied");

        const stopped = await dspyAgent(["stop", "--timeout", "5"], env);
        expect(stopped).toMatchObject({ code: 0, err: "" });
        expect(stopped.out).toBe("  all: stopped\nStopped.\n");
        expect(existsSync(`/proc/${pid}`)).toBe(false);
        expect(existsSync(join(home, "dspy-agent.pid"))).toBe(false);
      } finally {
        await dspyAgent(["stop", "--force"], env);
        await clear(name);
      }
    },
  );
});

/** Two services of a local image, one of which depends on the other and has a check. */
async function apply(address: string, name: string): Promise<void> {
  const client = createClient(
    EnvironmentService,
    createConnectTransport({ baseUrl: `http://${address}`, httpVersion: "1.1" }),
  );
  const sleep = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
  const services = {
    db: { image, pull: "never", command: ["sh", "-c", sleep] },
    web: {
      image,
      pull: "never",
      dependsOn: "db",
      command: ["sh", "-c", `echo line 1; echo line 2; echo line 3; touch /tmp/up; ${sleep}`],
      health: { command: ["test", "-e", "/tmp/up"], interval: "1s" },
    },
  };
  await client.applyEnvironment({ source: JSON.stringify({ drover: "environment/v1", name, services }) });
  await client.stopServices({ environment: name });
}

async function findLack(): Promise<string | undefined> {
  if ((await run("docker", ["version"])).code !== 0) return "There is no container engine, or no docker command.";
  if ((await run("docker", ["image", "inspect", image])).code === 0) return undefined;
  const steps = [
    "mkdir -p root/bin root/tmp",
    "cp $(command -v busybox) root/bin/busybox",
    "for name in sh echo test touch sleep; do ln -sf busybox root/bin/$name; done",
    `tar -C root -c . | docker import - ${image}`,
  ];
  const made = await run("sh", ["-ec", steps.join("\n")]);
  return made.code === 0 ? undefined : `The test image could not be made: ${made.err}`;
}

async function clear(name: string): Promise<void> {
  const filter = ["--filter", `label=drover.environment=${name}`];
  const containers = (await run("docker", ["ps", "-aq", ...filter])).out.split("\n").filter(Boolean);
  if (containers.length > 0) await run("docker", ["rm", "-f", ...containers]);
  const networks = (await run("docker", ["network", "ls", "-q", "--filter", `name=${name}`])).out
    .split("\n")
    .filter(Boolean);
  if (networks.length > 0) await run("docker", ["network", "rm", ...networks]);
}
