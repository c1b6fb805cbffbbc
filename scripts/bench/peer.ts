import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** As much of the driver `pg` as the benchmark uses. */
export interface PgClient {
  connect(): Promise<void>;
  query(
    query: string | { name?: string; text: string; values?: unknown[] },
  ): Promise<{ rows: Record<string, unknown>[] }>;
  on(event: "notification" | "error", listener: (what: unknown) => void): unknown;
  end(): Promise<void>;
}

type PgConstructor = new (options: { connectionString: string }) => PgClient;

const folder = join(import.meta.dirname, "peer");
const installed = join(folder, "node_modules/.package-lock.json");
const stamp = join(folder, "node_modules/.installed-lock.json");

/** Installs the peers where they are missing or older than their lockfile. They are no dependencies of Drover. */
export function installPeers(log: (line: string) => void): void {
  const wanted = readFileSync(join(folder, "package-lock.json"), "utf8");
  if (existsSync(installed) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  log("Installing the peers below scripts/bench/peer ...");
  const npm = process.env["npm_execpath"];
  const [command, args] = npm === undefined ? ["npm", []] : [process.execPath, [npm]];
  execFileSync(command, [...args, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  cpSync(join(folder, "package-lock.json"), stamp);
}

/** Loads a package of a peer. */
export async function loadPeer<Module>(name: string): Promise<Module> {
  const path = createRequire(join(folder, "package.json")).resolve(name);
  return (await import(pathToFileURL(path).href)) as Module;
}

/** The version of a peer that is installed. */
export function peerVersion(name: string): string {
  const text = readFileSync(join(folder, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** A connection by `pg`: the driver of the peers, and of the floors. */
export async function connectPg(url: string): Promise<PgClient> {
  const { default: pg } = await loadPeer<{ default: { Client: PgConstructor } }>("pg");
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {}); // the next query tells
  await client.connect();
  return client;
}
