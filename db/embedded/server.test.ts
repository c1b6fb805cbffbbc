import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath, getuid, kill, pid as self } from "node:process";
import postgres from "postgres";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { isServerOf, readPostmaster } from "./postmaster.ts";
import { type EmbeddedServer, startEmbedded } from "./server.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const root = mkdtempSync(join(tmpdir(), "drover-embedded-"));
chmodSync(root, 0o755);
// One cluster is made once; each test starts and stops a server on it.
const dataDir = join(root, "data");
const cluster = join(dataDir, "postgres");

async function start(): Promise<EmbeddedServer> {
  const server = await startEmbedded({ dataDir, log: silent, isDurable: false });
  onTestFinished(async () => {
    await server.stop();
    expect(readPostmaster(cluster)).toBeUndefined();
  });
  return server;
}

async function ask(url: string, query = "select current_setting('data_checksums') as answer"): Promise<unknown> {
  const sql = postgres(url, { max: 1, connect_timeout: 5 });
  try {
    const [row] = await sql.unsafe(query);
    return row?.["answer"];
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Starts a server from another process and kills that process, as `kill -9` of `scripts/dev` would. */
async function startAndKillParent(): Promise<number> {
  const program = `import { startEmbedded } from ${JSON.stringify(join(import.meta.dirname, "server.ts"))};
    const log = { info() {}, warn() {}, error() {} };
    await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, log, isDurable: false });
    console.log("ready"); setInterval(() => {}, 1000);`;
  const parent = spawn(execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  await once(parent.stdout, "data");
  parent.kill("SIGKILL");
  await once(parent, "exit");
  return readPostmaster(cluster)?.pid ?? 0;
}

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the embedded PostgreSQL", () => {
  it("makes a cluster with checksums on first use and keeps its password for the owner only", async () => {
    const server = await start();
    expect(await ask(server.url)).toBe("on");
    expect(
      await ask(
        server.url,
        "select datcollversion || pg_encoding_to_char(encoding) as answer from pg_database where datname = 'drover'",
      ),
    ).toBe("1UTF8");
    expect(statSync(join(cluster, "drover.password")).mode & 0o777).toBe(0o600);
  });

  it("refuses a wrong password, over TCP as over its socket", async () => {
    const server = await start();
    await expect(ask(server.url.replace(/:[^:@]+@/, ":wrong@"))).rejects.toThrow("password authentication failed");
    await expect(
      postgres({ host: cluster, port: server.port, user: "postgres", password: "wrong" })`select 1`,
    ).rejects.toThrow("password authentication failed");
  });

  it("keeps data and port from one start to the next", async () => {
    const first = await startEmbedded({ dataDir, log: silent, isDurable: false });
    await ask(first.url, "create table kept as select 7 as answer");
    await first.stop();
    const second = await start();
    expect(second.port).toBe(first.port);
    expect(await ask(second.url, "select answer from kept")).toBe(7);
  });

  it("adopts the server that a killed parent left, and stops it in the end", async () => {
    const orphan = await startAndKillParent();
    const server = await startEmbedded({ dataDir, log: silent, isDurable: false });
    expect(server.isAdopted).toBe(true);
    expect(await ask(server.url, "select pg_backend_pid() <> 0 as answer")).toBe(true);
    expect(readPostmaster(cluster)?.pid).toBe(orphan);
    await server.stop();
    expect(isServerOf(orphan, cluster)).toBe(false);
  });

  it("refuses a second supervisor of the same folder, naming the first", async () => {
    await start();
    await expect(start()).rejects.toThrow(/Expected the data folder .* to be free, process \d+ uses it/);
  });

  it("clears the pid file of a server that is gone, though a stranger has its number", async () => {
    writeFileSync(join(cluster, "postmaster.pid"), `${self}\n${cluster}\n1\n5432\n`);
    const server = await start();
    expect(await ask(server.url)).toBe("on");
  });

  it.each(["own child", "adopted server"])("starts again on the same port after a crash of its %s", async (kind) => {
    if (kind === "adopted server") await startAndKillParent();
    const server = await start();
    const before = readPostmaster(cluster)?.pid ?? 0;
    kill(before, "SIGKILL");
    await expect.poll(() => ask(server.url).catch(() => "down"), { timeout: 15_000 }).toBe("on");
    expect(readPostmaster(cluster)?.pid).not.toBe(before);
  });

  it("says what PostgreSQL said when it cannot start", async () => {
    const broken = startEmbedded({ dataDir, log: silent, settings: { shared_buffers: "nonsense" } });
    await expect(broken).rejects.toThrow(/it ended: .*invalid value for parameter "shared_buffers"/s);
  });

  it("refuses the data of another major version", async () => {
    const version = join(cluster, "PG_VERSION");
    const real = readFileSync(version, "utf8");
    onTestFinished(() => writeFileSync(version, real));
    writeFileSync(version, "17\n");
    await expect(start()).rejects.toThrow("Expected data of PostgreSQL 18");
  });

  it.runIf(getuid?.() === 0)("runs as another user below a folder that is closed to it", async () => {
    const closed = join(root, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const server = await startEmbedded({ dataDir: join(closed, "data"), log: silent, isDurable: false });
    onTestFinished(() => server.stop());
    expect(await ask(server.url)).toBe("on");
    const { pid } = readPostmaster(join(closed, "data/postgres")) ?? { pid: 0 };
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).not.toMatch(/^Uid:\s*0/m);
    expect(statSync(closed).mode & 0o777).toBe(0o700);
  });
});
