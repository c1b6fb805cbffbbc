import { isAbsolute, normalize } from "node:path";
import type { Execution, Resources } from "@drover/domain/execution";
import { isImage } from "@drover/domain/image-name";
import { outputPath } from "./output.ts";

/** Where a task works inside its container unless it says otherwise. */
export const defaultWorkDir = "/workspace";

const reservedRoots = ["/", "/proc", "/sys", "/dev", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/usr"];

/** Says what is wrong with an execution as a sentence, or nothing. */
export function findFault(execution: Execution, kind: "docker" | "process", workDir: string): string | undefined {
  return (
    commandFault(execution.command) ??
    envFault(execution.env ?? {}) ??
    resourceFault(execution.resources ?? {}) ??
    outputFault(execution, workDir) ??
    (kind === "docker" ? containerFault(execution, workDir) : undefined)
  );
}

function commandFault(command: unknown): string | undefined {
  if (!Array.isArray(command) || command.length === 0) {
    return "payload.execution.command must contain at least one element";
  }
  const isText = command.every((part) => typeof part === "string" && !part.includes("\0"));
  if (!isText || command[0] === "")
    return "execution.command: expected texts without zero characters, the first not empty.";
  return undefined;
}

function envFault(env: Record<string, unknown>): string | undefined {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[^=\0]+$/.test(name)) return `execution.env: expected names without "=", got ${JSON.stringify(name)}.`;
    if (typeof value !== "string" || value.includes("\0"))
      return `execution.env.${name}: expected a text without zero characters.`;
  }
  return undefined;
}

function resourceFault(resources: Resources): string | undefined {
  for (const name of ["cpuMillicores", "memoryBytes", "pids"] as const) {
    const value = resources[name];
    if (value === undefined || (Number.isSafeInteger(value) && value > 0)) continue;
    return `execution.resources.${name}: expected a positive whole number, got ${value}.`;
  }
  const gpus = resources.gpuCount;
  if (gpus !== undefined && !(Number.isSafeInteger(gpus) && gpus >= 0)) {
    return `execution.resources.gpuCount: expected a whole number from 0, got ${gpus}.`;
  }
  return undefined;
}

function outputFault(execution: Execution, workDir: string): string | undefined {
  for (const { path } of execution.artifacts?.outputs ?? []) {
    if (typeof path === "string" && !path.includes("\0") && outputPath(path, workDir) !== undefined) continue;
    return `execution.artifacts.outputs: expected paths below the working directory ${workDir}, got ${JSON.stringify(path)}.`;
  }
  return undefined;
}

function containerFault(execution: Execution, workDir: string): string | undefined {
  const { image, mounts = [] } = execution;
  if (image === undefined)
    return "execution.image: expected the name of an image, got none, and this node has no default image.";
  if (!isImage(image)) {
    return `execution.image: expected a reference such as registry/name:tag, got ${JSON.stringify(image)}.`;
  }
  const targets = new Set<string>();
  for (const path of [workDir, ...mounts.map((mount) => mount.mountPath)]) {
    const target = typeof path === "string" && !path.includes("\0") ? normalize(path).replace(/(?<=.)\/$/, "") : "";
    const isReserved = reservedRoots.includes(target) || /^\/(proc|sys|dev)\//.test(target);
    if (!isAbsolute(target) || isReserved) {
      return `execution.workingDir and mounts: expected an absolute path that is no part of the system, got ${JSON.stringify(path)}.`;
    }
    if (targets.has(target)) return `execution.mounts: expected each path once, got ${target} twice.`;
    targets.add(target);
  }
  return undefined;
}
