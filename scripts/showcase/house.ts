import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { aborted } from "@drover/daemon/deadline";
import { DroverError } from "@drover/domain/error";
import { marker } from "./leftover.ts";

/** Database, API and agent, as `drover up` runs them. */
export interface House {
  urls: string[];
  node: string;
  /** What its agent can run. */
  executors: string[];
  slots: Record<string, number>;
  /** Settles when it has ended, with how: "exit code 1". */
  ended: Promise<string>;
  /** Stops agent, API and database in their order; false where one of them had to be forced. */
  stop(): Promise<boolean>;
}

export interface HouseOptions {
  root: string;
  /** Whose processes these are: what is left of them is found by it. */
  folder: string;
  /** For `drover up`. */
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  /** Told each line that `drover up --json` writes to stderr. */
  onWarning: (line: string) => void;
}

const stopMs = 20_000;

/** Starts everything by `drover up` and resolves when a task could be submitted. */
export async function startHouse({ root, folder, args, env, signal, onWarning }: HouseOptions): Promise<House> {
  const command = ["--import", endWithParent, join(root, "apps/cli/src/main.ts"), "up", "--json", ...args];
  const child = spawn(process.execPath, command, {
    cwd: root,
    env: { ...env, [marker]: folder },
    stdio: ["pipe", "pipe", "pipe"],
    // A Ctrl-C in the terminal reaches only us, who stop the rest.
    detached: true,
  });
  const ended = new Promise<string>((settle) => {
    child.once("error", ({ message }) => settle(message));
    child.once("exit", (code, name) => settle(name === null ? `exit code ${code}` : `signal ${name}`));
  });
  createInterface({ input: child.stderr }).on("line", onWarning);
  const stop = (): Promise<boolean> => stopChild(child, ended);
  try {
    const told = await Promise.race([
      firstLine(child),
      ended.then(() => undefined),
      aborted(signal).then(() => undefined),
    ]);
    signal.throwIfAborted();
    if (told === undefined)
      throw new DroverError("unavailable", "Database, API and agent could not be started; see above.");
    const { urls, node } = JSON.parse(told) as Told;
    return { urls, node: node.name, executors: node.executors ?? [], slots: node.slots ?? {}, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What `drover up --json` says once everything runs. */
interface Told {
  urls: string[];
  node: { name: string; executors?: string[]; slots?: Record<string, number> };
}

async function stopChild(child: ChildProcess, ended: Promise<string>): Promise<boolean> {
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), stopMs);
  const how = await ended;
  clearTimeout(force);
  return how === "exit code 0" || how === "exit code 130";
}

function firstLine(child: ChildProcess & { stdout: NonNullable<ChildProcess["stdout"]> }): Promise<string> {
  return new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
}

// Should we be killed, the pipe of its standard input closes: it then stops everything, as after a Ctrl-C.
const endWithParent = `data:text/javascript,${encodeURIComponent(
  `import process from "node:process"; process.stdin.on("close", () => process.kill(process.pid, "SIGTERM")).resume().unref();`,
)}`;
