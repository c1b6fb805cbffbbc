import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readPostmaster } from "@drover/db/embedded/postmaster";

/** Kills a PostgreSQL server with everything it started, as a machine that loses power does. */
export function killPostgres(dataDir: string): number {
  const server = readPostmaster(join(dataDir, "postgres"));
  if (server === undefined) throw new Error(`Expected a PostgreSQL server on ${dataDir}, found none.`);
  const children = processes().filter(({ parent }) => parent === server.pid);
  process.kill(server.pid, "SIGKILL");
  for (const { pid } of children) killIfThere(pid);
  return server.pid;
}

function processes(): { pid: number; parent: number }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) }];
    } catch {
      return []; // it ended while we looked
    }
  });
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
