import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** A program of Drover, or a server to compare it with, as a process of its own. */
export interface Program {
  /** Resident memory in MB. */
  residentMb(): number;
  cpuMicros(): number;
  /** Holds it still until it is resumed, as it is. */
  pause(): void;
  resume(): void;
  end(): Promise<void>;
}

const root = join(import.meta.dirname, "../..");

/** The API on a database, from source unless another file is named. */
export async function startApi(databaseUrl: string, file = "apps/api/src/main.ts"): Promise<Program & { url: string }> {
  const port = await freePort();
  const child = start(file, { DROVER_DATABASE_URL: databaseUrl, DROVER_LISTEN: `127.0.0.1:${port}` });
  await untilHealthy(child, port);
  return { ...watch(child), url: `http://127.0.0.1:${port}` };
}

/** An agent with its own login and, unless settings say otherwise, no Docker Engine. */
export async function startAgent(
  nodeUrl: string,
  { file = "apps/agent/src/main.ts", settings = {} }: { file?: string; settings?: Record<string, string> } = {},
): Promise<Program> {
  const port = await freePort();
  const child = start(file, {
    DROVER_AGENT_DATABASE_URL: nodeUrl,
    DROVER_AGENT_LISTEN: `127.0.0.1:${port}`,
    DROVER_AGENT_NODE: "bench",
    DROVER_AGENT_DOCKER: "false",
    DROVER_AGENT_PROCESS: "true",
    ...settings,
  });
  await untilHealthy(child, port);
  return watch(child);
}

/** The bare server of one protocol. */
export async function startRpcFloor(protocol: "grpc" | "connect"): Promise<Program & { url: string }> {
  const child = fork(join(import.meta.dirname, "main.ts"), ["rpc-floor", protocol], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, NODE_ENV: "production", NODE_NO_WARNINGS: "1" },
  });
  programs.add(child);
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message: { port: number }) => resolve(message.port));
    child.once("exit", (code) => reject(new Error(`the bare server ended with ${code}`)));
  });
  return { ...watch(child), url: `http://127.0.0.1:${port}` };
}

/** Ends what is left: the way out after a failure. */
export function endPrograms(): void {
  for (const child of programs) child.kill("SIGKILL");
}

const programs = new Set<ChildProcess>();

function start(file: string, settings: Record<string, string>): ChildProcess {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DROVER_")));
  const child = fork(join(root, file), [], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: {
      ...env,
      ...settings,
      NODE_ENV: "production",
      NODE_NO_WARNINGS: "1",
      DROVER_LOG_LEVEL: "error",
      DROVER_AGENT_LOG_LEVEL: "error",
    },
  });
  programs.add(child);
  return child;
}

function watch(child: ChildProcess): Program {
  const gone = new Promise<void>((resolve) => {
    if (child.exitCode !== null) resolve();
    child.once("exit", () => resolve());
  });
  void gone.then(() => programs.delete(child));
  const read = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, "utf8");
  return {
    residentMb: () => Number(/VmRSS:\s+(\d+)/.exec(read("status"))?.[1]) / 1000,
    cpuMicros() {
      const stat = read("stat");
      const fields = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
      return ((fields[11] ?? NaN) + (fields[12] ?? NaN)) * 10_000;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async end() {
      child.kill("SIGCONT");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await gone;
      clearTimeout(timer);
    },
  };
}

async function untilHealthy(child: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 600 && child.exitCode === null; tries++) {
    const isHealthy = await fetch(`http://127.0.0.1:${port}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isHealthy) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  throw new Error(`expected a healthy program on port ${port}, it ended or took longer than 30 s`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
