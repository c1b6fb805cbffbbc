import { type ChildProcess, spawn } from "node:child_process";
import { kill } from "node:process";

/** How a run of a program went. */
export type ProgramAnswer =
  | { state: "ended"; exitCode: number; stdout: string; stderr: string }
  | { state: "missing" }
  /** It did not end in time, or could not be started: nothing is known. */
  | { state: "unknown"; problem: string };

export type RunProgram = (args: readonly string[]) => Promise<ProgramAnswer>;

/**
 * Runs a program of a driver so that nothing it does can stop the agent. One that waits in the kernel for a lost GPU
 * survives SIGKILL: it is left behind when its time is up, and no other is started until it has ended.
 */
export function createProgram({ program, timeoutMs }: { program: string; timeoutMs: number }): RunProgram {
  let stuck: ChildProcess | undefined;
  return (args) => {
    if (stuck) return Promise.resolve({ state: "unknown", problem: `${program} still hangs since an earlier look.` });
    return new Promise((resolve) => {
      const child = spawn(program, [...args], { stdio: ["ignore", "pipe", "pipe"], detached: true });
      const text = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const) {
        child[name].setEncoding("utf8");
        child[name].on("data", (chunk: string) => {
          if (text[name].length < maxOutputChars) text[name] += chunk;
        });
      }
      const timer = setTimeout(() => {
        killGroup(child);
        if (child.exitCode === null && child.signalCode === null) stuck = child;
        child.stdout.destroy();
        child.stderr.destroy();
        child.unref();
        resolve({ state: "unknown", problem: `${program} did not answer within ${timeoutMs} ms.` });
      }, timeoutMs);
      child.once("exit", () => {
        if (stuck === child) stuck = undefined;
      });
      child.once("error", (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        const isMissing = error.code === "ENOENT";
        resolve(isMissing ? { state: "missing" } : { state: "unknown", problem: `${program}: ${error.message}` });
      });
      child.once("close", (code, signal) => {
        clearTimeout(timer);
        if (code !== null) resolve({ state: "ended", exitCode: code, ...text });
        else resolve({ state: "unknown", problem: `${program} was ended by ${signal}.` });
      });
    });
  };
}

const maxOutputChars = 16 * 1024 * 1024;

// A wrapper script would leave the program that it waits for behind, and our pipes open with it.
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}
