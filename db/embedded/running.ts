import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { passwordFile } from "./cluster.ts";
import { readPostmaster } from "./postmaster.ts";

/** The URL of the embedded PostgreSQL that another process keeps on a data folder; undefined where none is ready. */
export function findRunning(dataDir: string): string | undefined {
  const cluster = join(resolve(dataDir), "postgres");
  const server = readPostmaster(cluster);
  if (server === undefined || !server.isReady) return undefined;
  const password = readFileSync(join(cluster, passwordFile), "utf8").trim();
  return `postgres://postgres:${password}@127.0.0.1:${server.port}/drover`;
}
