import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbedded } from "../../db/embedded/server.ts";
import { connectPg, type PgClient } from "./peer.ts";

/** What Postgres had done at one moment. */
export interface Counters {
  cpuMicros: number;
  walBytes: number;
  /** Transactions that wrote: ids used. */
  transactions: number;
}

/** A durable PostgreSQL of its own, with a fresh database per measurement. */
export interface BenchServer {
  version: string;
  /** Drops and makes a database; returns its URL. */
  freshDatabase(name: string): Promise<string>;
  /** Fresh statistics, and neither autovacuum nor a checkpoint due in the middle of what comes. */
  settle(url: string): Promise<void>;
  counters(): Promise<Counters>;
  /** Transactions of a database so far; sessions tell of theirs within ten seconds. */
  transactionsOf(url: string): Promise<number>;
  /** Autovacuum is work of the server's own: off while an idle system is watched. */
  setAutovacuum(isOn: boolean): Promise<void>;
  /** Everything is removed. */
  stop(): Promise<void>;
}

/** Starts the PostgreSQL that Drover embeds on a temporary folder. */
export async function startServer({ settings = {} }: { settings?: Record<string, string> } = {}): Promise<BenchServer> {
  const dataDir = mkdtempSync(join(tmpdir(), "drover-bench-"));
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  const remove = () => rmSync(dataDir, { recursive: true, force: true });
  try {
    const server = await startEmbedded({
      dataDir,
      log: silent,
      settings: { shared_buffers: "1GB", max_connections: "200", ...settings },
    });
    const admin = await connectPg(server.url);
    const pidFile = join(dataDir, "postgres/postmaster.pid");
    return {
      version: String((await admin.query("show server_version")).rows[0]?.["server_version"]),
      async freshDatabase(name) {
        await admin.query(`drop database if exists ${name} with (force)`);
        await admin.query(`create database ${name}`);
        return server.url.replace(/\/drover$/, `/${name}`);
      },
      async settle(url) {
        const client = await connectPg(url);
        await client.query("vacuum analyze");
        await client.query("checkpoint");
        await client.end();
      },
      counters: () => readCounters(admin, pidFile),
      async transactionsOf(url) {
        const text = "select xact_commit + xact_rollback as count from pg_stat_database where datname = $1";
        const { rows } = await admin.query({ text, values: [new URL(url).pathname.slice(1)] });
        return Number(rows[0]?.["count"]);
      },
      async setAutovacuum(isOn) {
        await admin.query(`alter system set autovacuum = ${isOn ? "on" : "off"}`);
        await admin.query("select pg_reload_conf()");
      },
      async stop() {
        await admin.end();
        await server.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

async function readCounters(admin: PgClient, pidFile: string): Promise<Counters> {
  const { rows } = await admin.query(
    "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal, pg_snapshot_xmax(pg_current_snapshot())::text as xid",
  );
  const postmaster = Number(readFileSync(pidFile, "utf8").split("\n", 1)[0]);
  return {
    cpuMicros: familyCpuMicros(postmaster),
    walBytes: Number(rows[0]?.["wal"]),
    transactions: Number(rows[0]?.["xid"]),
  };
}

/** A process, its living children and those that it has reaped. Linux only: elsewhere there is no /proc, and NaN. */
function familyCpuMicros(parent: number): number {
  const own = readTicks(parent);
  if (own === undefined) return NaN;
  let ticks = own.self + own.reaped;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const process = readTicks(Number(name));
    if (process?.parent === parent) ticks += process.self;
  }
  return ticks * 10_000;
}

function readTicks(pid: number): { parent: number; self: number; reaped: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [, parent = 0] = fields;
    const [user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = fields.slice(11, 15);
    return { parent, self: user + system, reaped: reapedUser + reapedSystem };
  } catch {
    return undefined; // it ended meanwhile
  }
}
