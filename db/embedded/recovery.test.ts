import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath, kill, pid as self } from "node:process";
import { describe, expect, it } from "vitest";
import { isServerOf, readPostmaster } from "./postmaster.ts";
import { startEmbedded } from "./server.ts";
import { ask, createTestFolder, silent } from "./testing.ts";

const { dataDir, cluster, start } = createTestFolder();

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

describe("the embedded PostgreSQL after a crash", () => {
  it("is made anew where its first start was killed in the middle", async () => {
    mkdirSync(`${cluster}.draft`, { recursive: true });
    writeFileSync(`${cluster}.draft/PG_VERSION`, "18");
    expect(await ask((await start()).url)).toBe("on");
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
});
