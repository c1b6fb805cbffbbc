import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import type { Resources } from "@drover/domain/execution";

/** How this host can limit a process; `none` leaves only the core file to the system's own setting. */
export type LimitTool = { kind: "prlimit"; path: string } | { kind: "ulimit"; shell: string } | { kind: "none" };

/** Finds the tool that sets limits: prlimit, or a shell that sets them and steps aside. */
export function findLimitTool(path: string): LimitTool {
  const prlimit = findProgram("prlimit", path, "/");
  if (prlimit !== undefined) return { kind: "prlimit", path: prlimit };
  const shell = findProgram("sh", path, "/");
  return shell === undefined ? { kind: "none" } : { kind: "ulimit", shell };
}

/** Says which limits a process gets here; cpu and gpu are none of them. */
export function describeLimits(tool: LimitTool, isRoot: boolean): string {
  if (tool.kind === "none") return "none";
  const pids = isRoot ? "" : ", pids (of all processes of the user)";
  return `memory (address space), file size, core files${pids}; by ${tool.kind}`;
}

/** The command that sets the limits and then becomes the task's own command. */
export function limitCommand(
  tool: LimitTool,
  resources: Resources,
  program: string,
  args: string[],
): [string, ...string[]] {
  const { memoryBytes, pids, storageGb } = resources;
  const fileBytes = storageGb === undefined ? undefined : Math.floor(storageGb * 1_000_000_000);
  switch (tool.kind) {
    case "prlimit": {
      const limits = [
        "--core=0",
        ...(memoryBytes === undefined ? [] : [`--as=${memoryBytes}`]),
        ...(pids === undefined ? [] : [`--nproc=${pids}`]),
        ...(fileBytes === undefined ? [] : [`--fsize=${fileBytes}`]),
      ];
      return [tool.path, ...limits, "--", program, ...args];
    }
    case "ulimit": {
      const limits = [
        "ulimit -c 0",
        ...(memoryBytes === undefined ? [] : [`ulimit -v ${Math.floor(memoryBytes / 1024)}`]),
        // Shells disagree on the letter for processes.
        ...(pids === undefined ? [] : [`{ ulimit -u ${pids} || ulimit -p ${pids}; } 2>/dev/null`]),
        ...(fileBytes === undefined ? [] : [`ulimit -f ${Math.ceil(fileBytes / 512)}`]),
      ];
      return [tool.shell, "-c", `${limits.join(" && ")} && exec "$@"`, "drover-limit", program, ...args];
    }
    case "none":
      return [program, ...args];
  }
}

/** Finds a program as a shell would: by the path list, or from the folder where its name has a slash. */
export function findProgram(name: string, path: string, folder: string): string | undefined {
  const candidates = name.includes("/")
    ? [resolve(folder, name)]
    : path
        .split(":")
        .filter(isAbsolute)
        .map((entry) => join(entry, name));
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // Missing or not executable: the next place may have it.
  }
}
