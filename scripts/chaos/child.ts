import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** One line that a process wrote; programs of ours write JSON, so its fields can be asked for. */
export interface Line {
  text: string;
  fields: Record<string, unknown>;
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process of the test's own, and everything it said. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly lines: readonly Line[];
  /** Resolves when it has ended, however. */
  readonly ended: Promise<Ending>;
  readonly isAlive: boolean;
  /** The first line from `since` on that matches; rejects when it ends or stays silent too long. */
  says(what: string | ((line: Line) => boolean), options?: { since?: number; timeoutMs?: number }): Promise<Line>;
  signal(name: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  end(name: NodeJS.Signals): Promise<Ending>;
  /** Resident memory. */
  rssBytes(): number;
}

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  uid?: number;
}

/** Starts a process and keeps what it writes. */
export function startChild({ name, command, args, env = {}, uid }: ChildOptions): Child {
  const child = spawn(command, args, {
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  const lines: Line[] = [];
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (text) => {
      lines.push({ text, fields: fieldsOf(text) });
      tell();
    });
  }
  const ended = endOf(child);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
    tell();
  });
  const lastWords = () =>
    lines
      .slice(-15)
      .map((line) => line.text.slice(0, 400))
      .join("\n");

  return {
    name,
    pid: child.pid ?? 0,
    lines,
    ended,
    get isAlive() {
      return !hasEnded;
    },
    says(what, { since = 0, timeoutMs = 20_000 } = {}) {
      const matches = typeof what === "string" ? (line: Line) => line.text.includes(what) : what;
      let at = since;
      return new Promise((resolve, reject) => {
        const stop = (settle: () => void) => {
          clearTimeout(timer);
          listeners.delete(look);
          settle();
        };
        const fail = (why: string) =>
          stop(() =>
            reject(new Error(`Expected ${name} to say ${String(what)}, it ${why}. Its last words:\n${lastWords()}`)),
          );
        const look = () => {
          for (; at < lines.length; at += 1) {
            const line = lines[at];
            if (line !== undefined && matches(line)) return stop(() => resolve(line));
          }
          if (hasEnded) fail("ended");
        };
        const timer = setTimeout(() => fail(`did not within ${timeoutMs} ms`), timeoutMs);
        listeners.add(look);
        look();
      });
    },
    signal(signal) {
      if (!hasEnded) child.kill(signal);
    },
    async end(signal) {
      if (!hasEnded) child.kill(signal);
      return ended;
    },
    rssBytes() {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    },
  };
}

function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("error", () => resolve({ code: null, signal: null }));
    // The streams are read to their end by then.
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
