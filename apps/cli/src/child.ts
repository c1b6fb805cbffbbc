import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { endOf, programEnv, programFile, type ProgramOptions, shareEnv } from "./program.ts";
import type { World } from "./world.ts";

/** A program of Drover that runs under `drover up`. */
export interface Child {
  readonly name: "api" | "agent";
  /** Settles when it has ended, with a sentence about how. */
  readonly ended: Promise<string>;
  readonly hasEnded: boolean;
  /** Asks it to stop, and ends it by force at the deadline; whether it stopped by itself. */
  stop(deadlineMs: number): Promise<boolean>;
}

export interface ChildOptions extends ProgramOptions {
  world: World;
  /** Told each line that it writes. */
  onLine: (line: string) => void;
}

/**
 * Starts a program as a process of its own group: a Ctrl-C in the terminal then reaches only us, who stop the programs in
 * their order. Should we be killed, their standard input closes, and they stop by themselves.
 */
export function startChild({ world, program, args = [], env = {}, onLine }: ChildOptions): Child {
  const command = ["--import", stopWithParent, programFile(world, program), ...args];
  const child = spawn(world.programs.node, command, {
    env: shareEnv(program, programEnv(world, env)),
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  if (program === "api") world.onReload?.(() => void child.kill("SIGHUP"));
  const isEnded = () => child.exitCode !== null || child.signalCode !== null;
  const lines = [child.stdout, child.stderr].map(async (stream) => {
    for await (const line of createInterface({ input: stream })) onLine(line);
  });
  const ended = endOf(child).then(
    async ({ code, signal }) => {
      await Promise.all(lines);
      return signal === null ? `exit code ${code}` : `signal ${signal}`;
    },
    (error: Error) => error.message,
  );
  return {
    name: program,
    ended,
    get hasEnded() {
      return isEnded();
    },
    async stop(deadlineMs) {
      if (isEnded()) return child.exitCode === 0;
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
      await ended;
      clearTimeout(force);
      return child.exitCode === 0;
    },
  };
}

// Loaded before the program itself. Nothing in the system tells a process that its parent is gone, but this pipe does.
const stopWithParent = `data:text/javascript,${encodeURIComponent(
  `import process from "node:process"; process.stdin.on("close", () => process.kill(process.pid, "SIGTERM")).resume().unref();`,
)}`;
