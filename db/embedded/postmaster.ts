import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { kill } from "node:process";
import { setTimeout as wait } from "node:timers/promises";

/** A running PostgreSQL server, as its postmaster.pid tells. */
export interface Postmaster {
  pid: number;
  port: number;
  isReady: boolean;
}

/** Reads the server that lives on a cluster folder; undefined also while its file is only half written. */
export function readPostmaster(cluster: string): Postmaster | undefined {
  const lines = readLockFile(cluster)?.split("\n") ?? [];
  const pid = Number(lines[0]);
  if (!isServerOf(pid, cluster)) return undefined;
  return { pid, port: Number(lines[3]), isReady: lines[7]?.trim() === "ready" };
}

/** Clears the lock files of a server that is gone. A file that is being written names nobody yet: it gets a moment. */
export async function clearStaleLocks(cluster: string): Promise<void> {
  for (let tries = 0; readLockFile(cluster)?.trim() === "" && tries < 100; tries += 1) await wait(20);
  if (readLockFile(cluster) !== undefined && readPostmaster(cluster) === undefined) clearLocks(cluster);
}

function readLockFile(cluster: string): string | undefined {
  const file = join(cluster, "postmaster.pid");
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * The number in a lock file may belong to a stranger after a reboot, or to a zombie that nobody reaps in a container,
 * and PostgreSQL would refuse to start. Sessions of the dead server still keep it from starting, by shared memory.
 */
function clearLocks(cluster: string): void {
  for (const name of readdirSync(cluster)) {
    if (name === "postmaster.pid" || name.startsWith(".s.PGSQL.")) rmSync(join(cluster, name), { force: true });
  }
}

/** Whether this process is a PostgreSQL server on this cluster folder. */
export function isServerOf(pid: number, cluster: string): boolean {
  if (!Number.isInteger(pid) || pid < 2) return false;
  try {
    // The command line is readable across users, where /proc/PID/exe needs the right to trace.
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return (args[0] ?? "").endsWith("postgres") && args[args.indexOf("-D") + 1] === cluster && !isZombie(pid);
  } catch {
    return false;
  }
}

/** Stops a server: fast shutdown first, harder as the deadline passes. Resolves when the process is gone. */
export async function stopPostmaster(pid: number, cluster: string, deadlineMs: number): Promise<void> {
  const steps = [
    { signal: "SIGINT", ms: deadlineMs * 0.7 }, // fast: end sessions, write a checkpoint
    { signal: "SIGQUIT", ms: deadlineMs * 0.2 }, // immediate: recover at the next start
    { signal: "SIGKILL", ms: deadlineMs * 0.1 },
  ] as const;
  for (const { signal, ms } of steps) {
    if (!isServerOf(pid, cluster)) return;
    send(pid, signal);
    if (await isGone(pid, cluster, ms)) return;
  }
}

function isZombie(pid: number): boolean {
  return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // gone between the look and the signal
  }
}

async function isGone(pid: number, cluster: string, withinMs: number): Promise<boolean> {
  for (const end = performance.now() + withinMs; performance.now() < end; await wait(20)) {
    if (!isServerOf(pid, cluster)) return true;
  }
  return !isServerOf(pid, cluster);
}
