import type Docker from "dockerode";
import { taskEnvironment } from "../executor/environment.ts";
import type { RunRequest } from "../executor/executor.ts";
import { claimKey } from "../executor/executor.ts";
import { gpuRequest } from "../gpu/device-request.ts";
import { label } from "./label.ts";
import { markOf, type Owner } from "./owner.ts";

/** What a container is made from, beside the request itself. */
export interface SpecFacts {
  image: string;
  owner: Owner;
  epoch: string;
  startedAt: Date;
  folder: string;
  workDir: string;
  mounts: Docker.MountSettings[];
  defaultPids: number;
  /** The host has GPUs: a container that was given none is told to see none. */
  hasGpus?: boolean;
  user?: string;
}

/** The name of an attempt's container: a second start of the same attempt collides in the engine itself. */
export function containerName(claim: { taskKey: string; fence: string }): string {
  return `drover-${claimKey(claim)}`;
}

/**
 * Describes an attempt's container; everything that a task could use against its host is off.
 * The command follows the image's entrypoint, as in `docker run`.
 */
export function containerSpec(request: RunRequest, facts: SpecFacts): Docker.ContainerCreateOptions {
  const { execution } = request;
  const binds: Docker.MountSettings[] = [
    { Type: "bind", Source: facts.folder, Target: facts.workDir },
    ...facts.mounts,
  ];
  const needsTmp = execution.readOnlyRoot === true && !binds.some(({ Target }) => Target === "/tmp");
  const { cpuMillicores, memoryBytes, pids = facts.defaultPids, gpuCount = 0 } = execution.resources ?? {};
  const gpus = gpuRequest({ gpus: request.gpus ?? [] });
  const isHidden = request.gpus !== undefined || (facts.hasGpus === true && gpuCount === 0);
  const env = { ...taskEnvironment(request, facts), ...(isHidden && gpus.env) };
  return {
    Image: facts.image,
    Cmd: execution.command,
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    WorkingDir: facts.workDir,
    Labels: { ...labels(request, facts), ...gpus.labels },
    Tty: false,
    OpenStdin: false,
    AttachStdin: false,
    ...(facts.user === undefined ? {} : { User: facts.user }),
    HostConfig: {
      Mounts: binds,
      NetworkMode: execution.network ?? "none",
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      IpcMode: "private",
      Init: true,
      PidsLimit: pids,
      Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
      RestartPolicy: { Name: "no" },
      // The log is shipped while it grows; the engine's copy serves a restart of the agent. Not json-file:
      // that one cuts lines at 16 KiB and replaces the halves of a character that it cuts.
      LogConfig: { Type: "local", Config: { "max-size": "64m", "max-file": "2" } },
      ...(cpuMillicores === undefined ? {} : { NanoCpus: cpuMillicores * 1_000_000 }),
      ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
      ReadonlyRootfs: execution.readOnlyRoot === true,
      ...(needsTmp ? { Tmpfs: { "/tmp": "rw,nosuid,nodev,size=64m,mode=1777" } } : {}),
      // Tasks of before there was placement were given no GPUs in particular.
      ...(gpuCount > 0 && request.gpus === undefined
        ? { DeviceRequests: [{ Driver: "", Count: gpuCount, Capabilities: [["gpu"]] }] }
        : gpus.hostConfig),
    },
  };
}

function labels(request: RunRequest, facts: SpecFacts): Record<string, string> {
  return {
    [label.task]: request.taskKey,
    [label.fence]: request.fence,
    [label.attempt]: String(request.attempt),
    ...markOf(facts.owner),
    [label.epoch]: facts.epoch,
    [label.startedAt]: facts.startedAt.toISOString(),
    [label.taskId]: request.taskId,
    [label.namespace]: request.namespace,
    [label.class]: request.class,
    [label.folder]: facts.folder,
    [label.workDir]: facts.workDir,
    [label.timeoutSeconds]: String(request.timeoutSeconds),
  };
}
