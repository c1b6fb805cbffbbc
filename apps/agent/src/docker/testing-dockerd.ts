import type { ChildProcess } from "node:child_process";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { connect } from "./connect.ts";
import { ensureTestImage } from "./testing.ts";

/** An engine of the test's own, which it may kill. */
export interface TestDockerd extends AsyncDisposable {
  host: string;
  start(): Promise<void>;
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** Why no engine can be started here, or nothing. In CI that is an error. */
export function whyNoDockerd(): string | undefined {
  const hasDaemon = ["/usr/sbin/dockerd", "/usr/bin/dockerd"].some((path) => existsSync(path));
  if (hasDaemon && userInfo().uid === 0) return undefined;
  const why = "an engine of its own needs dockerd and root";
  if (process.env["CI"] === "true") throw new Error(why);
  return why;
}

/** Starts an engine without networks beside the machine's own. */
export async function startDockerd(): Promise<TestDockerd> {
  const folder = await mkdtemp(join(tmpdir(), "drover-dockerd-"));
  const host = `unix://${folder}/docker.sock`;
  let daemon: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    // A killed engine leaves the note of a helper that died with it; the next one would wait for that.
    await rm(join(folder, "exec/containerd/containerd.pid"), { force: true });
    for (let round = 0; round < 5; round += 1) {
      daemon = spawn("dockerd", argumentsOf(folder, host), { stdio: "ignore" });
      if (await isReady(host, daemon)) return;
    }
    throw new Error(`Expected dockerd to start in ${folder}, it did not in five attempts.`);
  };
  const kill = async (signal: "SIGKILL" | "SIGTERM"): Promise<void> => {
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const gone = once(daemon, "exit");
    daemon.kill(signal);
    await gone;
  };

  await start();
  await ensureTestImage(connect({ host }));
  return {
    host,
    start,
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill("SIGTERM");
      await clear(folder);
    },
  };
}

function argumentsOf(folder: string, host: string): string[] {
  const at = (name: string): string => join(folder, name);
  const places = ["--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("pid"), "-H", host];
  return [...places, "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"];
}

async function isReady(host: string, daemon: ChildProcess): Promise<boolean> {
  const docker = connect({ host });
  for (let round = 0; round < 200 && daemon.exitCode === null; round += 1) {
    const answer = await docker.ping().catch(() => undefined);
    if (answer !== undefined) return true;
    await delay(50);
  }
  return false;
}

// A killed engine leaves mounts behind, which would keep the folder.
async function clear(folder: string): Promise<void> {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const path of mounts.filter((mount) => mount.startsWith(folder)).toReversed()) {
    await promisify(execFile)("umount", ["-l", path]).catch(() => undefined);
  }
  await rm(folder, { recursive: true, force: true });
}
