import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";
import { ensureTestImage } from "../../apps/agent/src/docker/testing.ts";

/** An engine of the test's own, which it may kill. */
export interface Dockerd extends AsyncDisposable {
  host: string;
  docker: Docker;
  /** Resolves when it answers. */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP hangs it, SIGCONT lets it go on. */
  signal(name: NodeJS.Signals): void;
}

export interface DockerdOptions {
  /** Its containers outlive it, as operators of long tasks set it. */
  isLive: boolean;
  /** The network namespace that it and its containers' networks live in. */
  namespace?: string;
}

/** Why no engine can be started here; in CI that is an error. */
export function whyNoDockerd(): string | undefined {
  const hasDaemon = ["/usr/sbin/dockerd", "/usr/bin/dockerd"].some((path) => existsSync(path));
  if (hasDaemon && userInfo().uid === 0) return undefined;
  const why = "an engine of its own needs dockerd and root";
  if (process.env["CI"] === "true") throw new Error(why);
  return why;
}

/** Starts an engine with its own data. */
export async function startDockerd({ isLive, namespace }: DockerdOptions): Promise<Dockerd> {
  const folder = mkdtempSync(join(tmpdir(), "drover-chaos-dockerd-"));
  const socketPath = join(folder, "docker.sock");
  const docker = new Docker({ socketPath });
  const at = (name: string) => join(folder, name);
  const args = [
    "--data-root",
    at("data"),
    "--exec-root",
    at("exec"),
    "--pidfile",
    at("pid"),
    "-H",
    `unix://${socketPath}`,
  ];
  args.push("--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs");
  if (isLive) args.push("--live-restore");
  let daemon: ChildProcess | undefined;
  const isReady = async (child: ChildProcess) => {
    for (const end = performance.now() + 10_000; performance.now() < end && child.exitCode === null;) {
      if (
        await docker.ping().then(
          () => true,
          () => false,
        )
      )
        return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  };
  const end = async (signal: NodeJS.Signals) => {
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const gone = once(daemon, "exit");
    daemon.kill(signal);
    await gone;
  };
  const engine: Dockerd = {
    host: `unix://${socketPath}`,
    docker,
    async start() {
      // A killed engine leaves the note of a helper that died with it; the next one would wait for that.
      for (let round = 0; round < 5; round += 1) {
        rmSync(at("exec/containerd/containerd.pid"), { force: true });
        // nsenter becomes the engine: signals reach it.
        const [command = "", ...rest] = [
          ...(namespace === undefined ? [] : ["nsenter", `--net=${namespace}`]),
          "dockerd",
          ...args,
        ];
        daemon = spawn(command, rest, { stdio: "ignore" });
        if (await isReady(daemon)) return;
        await end("SIGKILL");
      }
      throw new Error(`Expected dockerd to start in ${folder}, it did not in five attempts.`);
    },
    kill: () => end("SIGKILL"),
    signal: (name) => void daemon?.kill(name),
    async [Symbol.asyncDispose]() {
      const left = await docker.listContainers({ all: true }).catch(() => []);
      await Promise.all(
        left.map(({ Id }) =>
          docker
            .getContainer(Id)
            .remove({ force: true })
            .catch(() => undefined),
        ),
      );
      await end("SIGTERM");
      // A killed engine leaves mounts behind, which would keep the folder.
      const mounts = readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .map((line) => line.split(" ")[1] ?? "");
      for (const path of mounts.filter((mount) => mount.startsWith(folder)).toReversed()) {
        await promisify(execFile)("umount", ["-l", path]).catch(() => undefined);
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await engine.start();
  await ensureTestImage(docker);
  return engine;
}
