import { readFileSync } from "node:fs";
import { join } from "node:path";

/** How the tasks of the demo are run. */
export type Way = { executor: "docker"; image: string } | { executor: "process" };

/** What a counting task found in its file. */
export interface Count {
  lines: number;
  bytes: number;
  sha256: string;
  words: Record<string, number>;
}

/** A count, and the folder to which it adds. */
export interface FolderCount {
  folder: string;
  count: Count;
}

/** What the adding task made of all counts. */
export interface Sum {
  folders: Record<string, { files: number; lines: number; words: number; bytes: number }>;
  words: Record<string, number>;
}

const attempts = { maxAttempts: 2 };
const timeout = "60s";

/** A task that counts one file. A container sees that file and nothing else of the host. */
export function countTask(hostPath: string, id: string, way: Way): object {
  const mountPath = "/input";
  const isContainer = way.executor === "docker";
  return {
    id,
    labels: { demo: "count" },
    retry: attempts,
    timeout,
    execution: {
      ...executionOf("count", way, isContainer ? mountPath : hostPath),
      ...(isContainer ? { mounts: [{ hostPath, mountPath, readOnly: true }] } : {}),
    },
  };
}

/** A task that adds up all counts; they travel as its payload. */
export function sumTask(found: readonly FolderCount[], id: string, way: Way): object {
  const files = found.map(({ folder, count }) => [
    folder,
    count.lines,
    count.bytes,
    Object.entries(count.words).flat(),
  ]);
  return {
    id,
    labels: { demo: "sum" },
    retry: attempts,
    timeout,
    payload: { files },
    execution: executionOf("sum", way),
  };
}

function executionOf(script: "count" | "sum", way: Way, ...args: string[]): object {
  const text = readFileSync(join(import.meta.dirname, `task/${script}.sh`), "utf8");
  return {
    executor: way.executor === "docker" ? "EXECUTOR_DOCKER" : "EXECUTOR_PROCESS",
    ...(way.executor === "docker" ? { image: way.image } : {}),
    command: ["sh", "-c", text, `${script}.sh`, ...args],
    artifacts: { outputs: [{ path: `${script}.json` }] },
  };
}
