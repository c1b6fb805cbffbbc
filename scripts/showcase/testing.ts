import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { onTestFinished } from "vitest";

const root = join(import.meta.dirname, "../..");

export interface Script {
  child: ChildProcess;
  /** All that it has said. */
  said(): string;
  /** Resolves when it has said that. */
  untilSaid(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with its exit code, or the signal that ended it. */
  ended: Promise<number | string | null>;
}

/** Starts a script of the clone as a person would. */
export function startScript(script: string, args: string[], env: Record<string, string>): Script {
  const child = spawn(join(root, "scripts", script), args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGTERM"));
  let text = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      for (const look of waiting) look();
    });
  }
  const said = (): string => stripVTControlCharacters(text);
  const ended = new Promise<number | string | null>((resolve) =>
    child.once("close", (code, signal) => resolve(code ?? signal)),
  );
  return {
    child,
    said,
    ended,
    untilSaid: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(said());
          if (match === null) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        look();
        void ended.then((code) => reject(new Error(`Ended with ${code} before it said ${pattern}:\n${said()}`)));
      }),
  };
}

/** The command lines of live processes that name a folder or work in it. */
export function processesOf(folder: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return command.includes(folder) || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
        ? [`${pid} ${command}`]
        : [];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}
