import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { DroverError } from "@drover/domain/error";
import { launchAs } from "./account.ts";
import type { ClusterPlan } from "./cluster.ts";
import { clearStaleLocks, isServerOf, readPostmaster } from "./postmaster.ts";

/** A server that accepts connections, whoever started it. */
export interface Server {
  pid: number;
  port: number;
  /** Resolves when the process has ended, for whatever reason. */
  ended: Promise<void>;
}

export interface LaunchPlan extends ClusterPlan {
  port: number;
  settings: Record<string, string>;
  logFile: string;
}

const startDeadlineMs = 120_000; // a crash in mid-load is recovered from the log first
const maxLogBytes = 10 * 1024 * 1024;
const maxSocketPath = 107;

/** Starts the server in a session of its own, so that a Ctrl-C for us does not reach it, and waits until it is ready. */
export async function launchServer(plan: LaunchPlan): Promise<Server> {
  await clearStaleLocks(plan.cluster);
  const launch = launchAs(plan.account, plan.binaries.postgres, serverArgs(plan), [plan.binaries.share, plan.cluster]);
  const output = openLog(plan.logFile);
  const from = statSync(plan.logFile).size;
  const child = spawn(launch.command, launch.args, {
    ...launch.options,
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  const ended = once(child, "exit").then(
    () => undefined,
    () => undefined, // could not be spawned at all: the wait below reports it
  );
  child.unref();
  const told = (): string => readFileSync(plan.logFile, "utf8").slice(from).trim() || "nothing in its log";
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  for (const end = performance.now() + startDeadlineMs; performance.now() < end; await wait(10)) {
    if (hasEnded)
      throw new DroverError("unavailable", `Expected PostgreSQL to start on ${plan.cluster}, it ended: ${told()}`);
    const running = readPostmaster(plan.cluster);
    if (running?.isReady && running.pid === child.pid) return { pid: running.pid, port: running.port, ended };
  }
  child.kill("SIGQUIT");
  throw new DroverError(
    "unavailable",
    `Expected PostgreSQL to be ready within ${startDeadlineMs / 1000} s, it said: ${told()}`,
  );
}

/** Takes up a server that a killed parent left running; undefined where there is none. */
export async function adoptServer(cluster: string): Promise<Server | undefined> {
  await clearStaleLocks(cluster);
  const end = performance.now() + startDeadlineMs;
  for (let running = readPostmaster(cluster); running; running = readPostmaster(cluster)) {
    if (performance.now() > end) {
      throw new DroverError(
        "unavailable",
        `Expected the PostgreSQL with process id ${running.pid} on ${cluster} to get ready, it did not. Stop it and start again.`,
      );
    }
    if (running.isReady) return { pid: running.pid, port: running.port, ended: watchEnd(running.pid, cluster) };
    await wait(50); // still starting or recovering; it ends or gets ready by itself
    await clearStaleLocks(cluster);
  }
  return undefined;
}

function serverArgs({ cluster, port, settings, isDurable }: LaunchPlan): string[] {
  const hasShortPath = `${cluster}/.s.PGSQL.${port}.lock`.length <= maxSocketPath;
  const all: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: hasShortPath ? cluster : "",
    timezone: "UTC",
    log_timezone: "UTC",
    shared_buffers: "128MB",
    max_connections: "100",
    io_method: "sync", // the worker processes pay off on hosts larger than those that embed a database
    jit: "off", // short queue statements lose more to compilation than they gain
    ...(isDurable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...settings,
  };
  return [
    "-D",
    cluster,
    "-p",
    String(port),
    ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
}

/** Opens the log for appending and keeps one older file, so that it cannot fill the disk. */
function openLog(file: string): number {
  if (existsSync(file) && statSync(file).size > maxLogBytes) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}

/** The end of a process that is not our child can only be looked for. */
async function watchEnd(pid: number, cluster: string): Promise<void> {
  while (isServerOf(pid, cluster)) await wait(500, undefined, { ref: false });
}
