import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { kill, pid as ownPid } from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { DroverError } from "@drover/domain/error";
import type { Engine } from "../../apps/agent/src/docker/engine.ts";
import { killRun } from "../../apps/agent/src/executor/process-end.ts";
import { findMarked } from "../../apps/agent/src/executor/process-table.ts";
import { readPostmaster, stopPostmaster } from "../../db/embedded/postmaster.ts";

/** Stands in the environment of everything that we start, and tells for which folder. */
export const marker = "LAUNCHED_FOR";

const prefix = "demo-";
const ownerFile = "supervisor";
const politeMs = 10_000;

/** A folder for one run of the demo, below `base`; its name is also the name of its node. */
export function makeRunFolder(base: string): string {
  mkdirSync(base, { recursive: true });
  // Renamed when it says whose it is, so that nobody takes it for a leftover meanwhile.
  const draft = mkdtempSync(join(base, "draft-"));
  writeFileSync(join(draft, ownerFile), ownerLine());
  const suffix = Array.from(crypto.getRandomValues(new Uint8Array(3)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  const folder = join(base, prefix + suffix);
  renameSync(draft, folder);
  return folder;
}

/** Makes this process the only one that runs things in a folder; returns the way to give it up. A dead owner is replaced. */
export function claimFolder(folder: string): () => void {
  if (isAlive(folder)) {
    const [pid] = readOr(join(folder, ownerFile)).split(" ");
    throw new DroverError("conflict", `Drover runs in ${folder} already, started by process ${pid}.`, {
      hint: "Stop that one with Ctrl-C, or name another folder with --data and other addresses with --listen.",
    });
  }
  writeFileSync(join(folder, ownerFile), ownerLine());
  return () => rmSync(join(folder, ownerFile), { force: true });
}

/** The folders of runs that were killed. */
export function findDeadRuns(base: string): string[] {
  return list(base)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(base, name))
    .filter((folder) => !isAlive(folder));
}

/** Ends everything that a run of the demo has started and removes its folder; says what was still there. */
export async function clearRun(folder: string, engine: Engine | undefined): Promise<string[]> {
  const node = basename(folder);
  const found = await endProcesses(folder);
  for (const { run, pid } of findMarked({ holder: node })) {
    found.push(`task process ${pid}`);
    await killRun({ holder: node, run }, undefined, politeMs);
  }
  found.push(...(await stopServer(folder)));
  const containers = await engine?.list([`drover.holder=${node}`]);
  for (const { Id: id } of containers?.ok === true ? containers.value : []) {
    found.push(`container ${id.slice(0, 12)}`);
    await engine?.remove(id);
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    rmdirSync(join(folder, ".."));
  } catch {
    // Something else lies there, such as the data of scripts/dev.
  }
  return found;
}

/** Ends the processes that were started for a folder: asked first, forced after a while; says which there were. */
export async function endProcesses(folder: string): Promise<string[]> {
  const first = findStarted(folder);
  const until = performance.now() + politeMs;
  for (const { pid } of first) send(pid, "SIGTERM");
  for (let left = first; left.length > 0; left = findStarted(folder)) {
    if (performance.now() > until) for (const { pid } of left) send(pid, "SIGKILL");
    await pause(50);
  }
  // A killed API that nobody has collected yet would still pass for the owner of the database.
  if (!isAlive(folder, "owner")) rmSync(join(folder, "owner"), { force: true });
  return first.map(({ pid, name }) => `${name} ${pid}`);
}

/** Stops a PostgreSQL whose parent was killed; says which. */
export async function stopServer(folder: string): Promise<string[]> {
  const cluster = join(folder, "postgres");
  const server = list(cluster).length > 0 ? readPostmaster(cluster) : undefined;
  if (server === undefined) return [];
  await stopPostmaster(server.pid, cluster, politeMs);
  return [`PostgreSQL ${server.pid}`];
}

/** The live processes that were started for a folder. */
export function findStarted(folder: string): { pid: number; name: string }[] {
  return list("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== ownPid && read(pid, "environ").split("\0").includes(`${marker}=${folder}`))
    .filter((pid) => !/^State:\s*[ZX]/m.test(read(pid, "status")))
    .map((pid) => ({ pid, name: /apps\/(\w+)\/src\/main\.ts/.exec(read(pid, "cmdline"))?.[1] ?? "process" }));
}

function ownerLine(): string {
  return `${ownPid} ${startOf(ownPid)}\n`;
}

function isAlive(folder: string, file = ownerFile): boolean {
  const [pid = "", start = ""] = readOr(join(folder, file)).trim().split(" ");
  return pid !== "" && startOf(Number(pid)) === start;
}

/** When a process started, in ticks since boot: tells it from a later one with the same number. */
function startOf(pid: number): string {
  const stat = read(pid, "stat");
  const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // One that has ended and that nobody has collected is no owner any more.
  return /[ZX]/.test(state) ? "gone" : (fields[18] ?? "gone");
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

function read(pid: number, file: string): string {
  return readOr(`/proc/${pid}/${file}`);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It ended meanwhile, belongs to somebody else, or this is no Linux.
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
