import { join, resolve } from "node:path";
import postgres from "postgres";
import { chooseAccount, launchAs } from "./account.ts";
import { findBinaries } from "./binary.ts";
import { ensureCluster, prepareFolder } from "./cluster.ts";
import { type EmbeddedLog, keepAlive } from "./keep-alive.ts";
import { adoptServer, launchServer, type Server } from "./launch.ts";
import { ownFolder } from "./owner.ts";
import { choosePort, rememberPort } from "./port.ts";
import { stopPostmaster } from "./postmaster.ts";

export interface EmbeddedOptions {
  dataDir: string;
  /** Port on 127.0.0.1; by default a free one, the same at every start. */
  port?: number;
  log: EmbeddedLog;
  /** PostgreSQL settings over the defaults for a small host. */
  settings?: Record<string, string>;
  /** False gives up safety against a crash of the machine for speed: only for tests. */
  isDurable?: boolean;
}

/** A PostgreSQL that lives as long as we do, and comes back when it crashes. */
export interface EmbeddedServer {
  /** Connects as superuser to the database `drover`. */
  url: string;
  port: number;
  /** Whether it was already running, left by a parent that was killed. */
  isAdopted: boolean;
  /** Ends sessions, writes a checkpoint and resolves when the process is gone. */
  stop(deadlineMs?: number): Promise<void>;
}

/** Starts the PostgreSQL that npm brought on a data folder, making the cluster on first use. */
export async function startEmbedded({
  dataDir,
  port,
  log,
  settings = {},
  isDurable = true,
}: EmbeddedOptions): Promise<EmbeddedServer> {
  const folder = resolve(dataDir);
  const cluster = join(folder, "postgres");
  const binaries = findBinaries();
  prepareFolder(folder);
  const disown = ownFolder(folder);
  let stop = async (_deadlineMs: number): Promise<void> => disown();
  try {
    const account = chooseAccount(cluster);
    const closed = launchAs(account, binaries.postgres, [], [binaries.share, folder]).closedFolder;
    if (closed)
      log.warn({ folder: closed, uid: account.uid }, "PostgreSQL keeps the capability to pass a closed folder");
    const adopted = await adopt(cluster, port);
    const password = await ensureCluster({ cluster, binaries, account, isDurable });
    const chosenPort = adopted?.port ?? (await choosePort(folder, port));
    rememberPort(folder, chosenPort);
    const plan = {
      cluster,
      binaries,
      account,
      isDurable,
      settings,
      port: chosenPort,
      logFile: join(folder, "postgres.log"),
    };
    const keeper = keepAlive(adopted ?? (await launchServer(plan)), plan, log);
    stop = (deadlineMs) => keeper.stop(deadlineMs).finally(disown);
    const url = await ensureDatabase(`postgres://postgres:${password}@127.0.0.1:${chosenPort}`);
    log.info({ port: chosenPort, dataDir: folder, adopted: adopted !== undefined }, "PostgreSQL is ready");
    return {
      url,
      port: chosenPort,
      isAdopted: adopted !== undefined,
      stop: (deadlineMs = 10_000) => stop(deadlineMs),
    };
  } catch (error) {
    await stop(10_000);
    throw error;
  }
}

/** An adopted server on another port than the wanted one is stopped, to be started anew. */
async function adopt(cluster: string, port?: number): Promise<Server | undefined> {
  const server = await adoptServer(cluster);
  if (!server || port === undefined || server.port === port) return server;
  await stopPostmaster(server.pid, cluster, 10_000);
  return undefined;
}

async function ensureDatabase(server: string): Promise<string> {
  const sql = postgres(`${server}/postgres`, { max: 1, onnotice: () => undefined });
  try {
    const [found] = await sql`select from pg_database where datname = 'drover'`;
    if (!found) await sql`create database drover`;
  } finally {
    await sql.end({ timeout: 5 });
  }
  return `${server}/drover`;
}
