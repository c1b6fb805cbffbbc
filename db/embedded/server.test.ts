import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { getuid } from "node:process";
import postgres from "postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import { readPostmaster } from "./postmaster.ts";
import { startEmbedded } from "./server.ts";
import { ask, createTestFolder, silent } from "./testing.ts";

const { root, dataDir, cluster, start } = createTestFolder();

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
