import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { NodeService, NodeState } from "@drover/proto/drover/node";
import { DroverError } from "@drover/domain/error";
import { envManagerHost } from "../env-manager-host.ts";
import { isReady, type Place, reachable, type Task } from "./place.ts";

const startMs = 90_000;
const joinMs = 30_000;

/** Starts `drover up` in the background, and waits until it serves and its node takes work. */
export async function startDaemon(task: Task): Promise<void> {
  const { place, config, flags } = task;
  const workspace = resolve(flags.workspace ?? config.workspace);
  if (!existsSync(workspace)) throw new DroverError("not_found", `Expected a folder at ${workspace}, found nothing.`);
  const logFile = logFileOf(place);
  mkdirSync(join(place.homeDir, ".dspy-agent"), { recursive: true });
  const log = openSync(logFile, "a", 0o600);
  // Only where it is not said otherwise: drover itself reads DROVER_LISTEN.
  const listen = place.env["DROVER_LISTEN"] ? [] : ["--listen", addressesOf(task)];
  const child = spawn(place.node, [place.drover, "up", "--data", join(workspace, ".drover"), ...listen], {
    cwd: workspace,
    env: daemonEnv(task),
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  let end: string | undefined;
  child.once("error", (error) => (end = error.message));
  child.once("exit", (code, signal) => (end = signal === null ? `exit code ${code}` : `signal ${signal}`));
  if (child.pid !== undefined) writeFileSync(pidFileOf(place), `${child.pid}\n`);
  child.unref();
  const deadline = performance.now() + startMs;
  while (!(await isReady(task))) {
    if (end === undefined && performance.now() < deadline) await pause(200, undefined, { signal: place.stop });
    else {
      rmSync(pidFileOf(place), { force: true });
      if (end === undefined) child.kill("SIGTERM");
      throw new DroverError("unavailable", `Drover did not come up: ${end ?? "it took too long"}.`, {
        hint: `Read ${logFile}.`,
      });
    }
  }
  await untilJoined(task);
}

/** The process that was started in the background, if it runs still. */
export function runningDaemon(place: Place): number | undefined {
  const file = pidFileOf(place);
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8").trim()) : 0;
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  // A number that another program has by now is not ours.
  return isAlive(place, pid) && isOurs(place, pid) ? pid : undefined;
}

/** Ends the process, by force where it takes too long; whether it ended by itself. */
export async function stopDaemon(place: Place, pid: number, timeoutMs: number): Promise<boolean> {
  place.kill(pid, "SIGTERM");
  const deadline = performance.now() + timeoutMs;
  while (isAlive(place, pid) && performance.now() < deadline) await pause(100);
  const isClean = !isAlive(place, pid);
  // What it started ends by itself once it is gone.
  if (!isClean) place.kill(pid, "SIGKILL");
  rmSync(pidFileOf(place), { force: true });
  return isClean;
}

export function pidFileOf({ tempDir }: Place): string {
  return join(tempDir, "dspy-agent.pid");
}

export function logFileOf({ homeDir }: Place): string {
  return join(homeDir, ".dspy-agent", "drover.log");
}

function isAlive(place: Place, pid: number): boolean {
  return place.kill(pid, 0);
}

function isOurs({ drover }: Place, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(drover);
  } catch {
    return true; // No such list here: the number is all there is.
  }
}

/** The ports that clients know, and those of the configuration where they differ. */
function addressesOf({ config }: Task): string {
  const own = [config.orchestratorAddress, config.envManagerAddress].map(reachable);
  return [...new Set(["127.0.0.1:9097", "127.0.0.1:50052", ...own])].join(",");
}

/** The environment of the process, with what users of the env-manager say of its host as the agent reads it. */
function daemonEnv({ place, config, flags }: Task): Record<string, string> {
  const { env } = place;
  const known = {
    ...envManagerHost(env),
    ...(env["DOCKER_HOST"] && { DROVER_AGENT_DOCKER_HOST: env["DOCKER_HOST"] }),
    ...((flags.gpu ?? config.gpu) && { DROVER_AGENT_SLOTS: "cpu_short=4,cpu_long=2,gpu=8" }),
  };
  const own = Object.entries({ ...known, ...present(env) }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(own) as Record<string, string>;
}

function present(env: Place["env"]): Place["env"] {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}

/** A machine without a container engine has a node all the same. */
async function untilJoined({ place, config }: Task): Promise<void> {
  const nodes = createClient(NodeService, place.connect(reachable(config.envManagerAddress)));
  const deadline = performance.now() + joinMs;
  while (performance.now() < deadline) {
    const answer = await nodes.listNodes({}, { signal: place.stop, timeoutMs: 5000 }).catch(() => undefined);
    if (answer?.nodes.some(({ state }) => state === NodeState.READY)) return;
    await pause(100, undefined, { signal: place.stop });
  }
}
