import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Execution } from "@drover/domain/execution";
import type { LogSink, LogStream, RunRequest } from "./executor.ts";

let lastFence = BigInt(Date.now()) * 1000n + BigInt(Math.floor(Math.random() * 1000));

/** A request of its own for a test. */
export function requestOf(execution: Partial<Execution>, rest: Partial<RunRequest> = {}): RunRequest {
  lastFence += 1n;
  return {
    taskKey: String(lastFence + 7n),
    fence: String(lastFence),
    attempt: 1,
    taskId: "task-1",
    namespace: "default",
    class: "cpu_short",
    execution: { command: ["true"], ...execution },
    payload: { n: 1 },
    timeoutSeconds: 60,
    ...rest,
  };
}

export interface CollectedLogs extends LogSink {
  entries: { stream: LogStream; text: string; at: Date }[];
  text(stream: LogStream): string;
}

/** A sink that keeps everything. */
export function collectLogs(): CollectedLogs {
  const entries: CollectedLogs["entries"] = [];
  return {
    entries,
    write: (stream, text, at) => void entries.push({ stream, text, at }),
    text: (stream) =>
      entries
        .filter((entry) => entry.stream === stream)
        .map((entry) => entry.text)
        .join(""),
  };
}

/** A new empty folder for the test that runs; it is removed after it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "drover-agent-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
