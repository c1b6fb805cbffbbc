import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { once } from "node:events";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Owner } from "../docker/owner.ts";
import { gpuEnvironment } from "../gpu/device-request.ts";
import type { Capture } from "./capture.ts";
import { createCapture } from "./capture.ts";
import { findFault } from "./check.ts";
import { taskEnvironment } from "./environment.ts";
import type { LogSink, Run, RunOutcome, RunRequest, StopReason, StopGrace } from "./executor.ts";
import { claimKey } from "./executor.ts";
import type { FolderOptions } from "./folder.ts";
import { folderOf, prepareFolder } from "./folder.ts";
import { failed, settle, stoppedEarly } from "./outcome.ts";
import { collectOutputs } from "./output.ts";
import type { RunMarker } from "./process-end.ts";
import { isRunAlive, killRun, markerOf, signalRun } from "./process-end.ts";
import type { LimitTool } from "./process-limit.ts";
import { findProgram, limitCommand } from "./process-limit.ts";
import { callAfter } from "./timer.ts";

export interface ProcessRunDeps {
  enabled: boolean;
  owner: Owner;
  folders: FolderOptions;
  path: string;
  lang: string;
  limitTool: LimitTool;
  hasGpus: () => boolean;
  graceMs: StopGrace;
}

const killMarginMs = 2000;
const pipeDrainMs = 2000;

/** Carries one attempt as a process group from its start to its outcome; nothing of it is left then. */
export function startProcessRun(deps: ProcessRunDeps, request: RunRequest, logs: LogSink): Run {
  const stopping = new AbortController();
  const capture = createCapture(logs);
  const gone = Promise.withResolvers<boolean>();
  const outcome = run(deps, request, capture, stopping, gone.resolve).catch((error: unknown) =>
    failed(
      "start_failed",
      `The node could not run the task: ${error instanceof Error ? error.message : String(error)}`,
    ),
  );
  // An end that told nothing came before anything was started.
  void outcome.finally(() => gone.resolve(true));
  return {
    taskKey: request.taskKey,
    fence: request.fence,
    outcome,
    async stop(reason) {
      stopping.abort(reason);
      // Reading the rest of the log and the outputs may take longer than the end itself.
      return { gone: await gone.promise };
    },
  };
}

async function run(
  deps: ProcessRunDeps,
  request: RunRequest,
  capture: Capture,
  stopping: AbortController,
  tellGone: (isGone: boolean) => void,
): Promise<RunOutcome> {
  const { execution } = request;
  if (!deps.enabled)
    return failed("invalid_execution", "Processes are switched off on this node; name an image to run in a container.");
  const seenWorkDir = execution.workingDir ?? folderOf(deps.folders.base, request);
  const fault = findFault(execution, "process", seenWorkDir);
  if (fault !== undefined) return failed("invalid_execution", fault);
  if ((execution.mounts ?? []).length > 0) {
    return failed(
      "mount_refused",
      "A process has no mounts of its own: expected none, or an image to run the task in a container.",
    );
  }
  const folder = await prepareFolder(deps.folders, request);
  if (stopping.signal.aborted) return stoppedEarly(request, stopping.signal.reason as StopReason);

  const startedAtMs = performance.now();
  const child = await launch(deps, request, folder);
  if ("problem" in child) return failed("start_failed", child.problem);
  const marker = { ...markerOf(deps.owner), run: claimKey(request) };
  const closed = forward(child, capture);
  const callOff = callAfter(request.timeoutSeconds * 1000, () => stopping.abort("timeout"));
  const stopReason = await awaitEnd(deps, child, marker, stopping.signal);
  callOff();
  tellGone(await clear(marker, child.pid, stopReason, capture));
  await Promise.race([closed, delay(pipeDrainMs, undefined, { ref: false })]);
  child.stdout?.destroy();
  child.stderr?.destroy();

  const durationMs = Math.round(performance.now() - startedAtMs);
  const outputs = execution.artifacts?.outputs ?? [];
  const collected = await collectOutputs(outputs, { folder, workDir: seenWorkDir }, capture.note);
  const { exitCode, signalCode } = child;
  const end = {
    exitCode,
    ...(signalCode === null ? {} : { signal: signalCode }),
    ...(stopReason === undefined ? {} : { stopReason }),
  };
  return settle(request, end, { exitCode, durationMs, ...collected, ...capture.finish(), workingDir: folder });
}

async function launch(
  deps: ProcessRunDeps,
  request: RunRequest,
  folder: string,
): Promise<ChildProcess | { problem: string }> {
  const { execution } = request;
  const temporary = join(folder, ".tmp");
  await mkdir(temporary, { recursive: true });
  await chmod(temporary, 0o777);
  const env: Record<string, string> = {
    PATH: deps.path,
    HOME: folder,
    LANG: deps.lang,
    TMPDIR: temporary,
    ...taskEnvironment(request, { workDir: folder, owner: deps.owner }),
    ...((request.gpus !== undefined || deps.hasGpus()) && gpuEnvironment(request.gpus ?? [])),
  };
  const [name = "", ...args] = execution.command;
  const program = findProgram(name, env["PATH"] ?? "", folder);
  if (program === undefined) {
    return { problem: `The command ${JSON.stringify(name)} was not found on this node (PATH ${env["PATH"]}).` };
  }
  const [file, ...rest] = limitCommand(deps.limitTool, execution.resources ?? {}, program, args);
  const { owner } = deps.folders;
  const child = spawn(file, rest, { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"], ...owner });
  try {
    await once(child, "spawn");
    return child;
  } catch (error) {
    return { problem: `The command ${JSON.stringify(name)} could not be started: ${String(error)}.` };
  }
}

function forward(child: ChildProcess, capture: Capture): Promise<unknown> {
  child.stdout?.on("data", (bytes: Buffer) => capture.write("stdout", bytes, new Date()));
  child.stderr?.on("data", (bytes: Buffer) => capture.write("stderr", bytes, new Date()));
  return once(child, "close").catch(() => undefined); // An error after the start shows as the end itself.
}

// Ends with the command's own end, or after a stop with the grace; then the reason comes back.
async function awaitEnd(
  deps: ProcessRunDeps,
  child: ChildProcess,
  marker: RunMarker,
  stopping: AbortSignal,
): Promise<StopReason | undefined> {
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (!isOver() && !stopping.aborted) await once(child, "exit", { signal: stopping }).catch(() => undefined);
  if (isOver()) return undefined;
  signalRun(marker, child.pid, "SIGTERM");
  const reason = stopping.reason as StopReason;
  const until = performance.now() + deps.graceMs(reason);
  while (isRunAlive(marker, child.pid) && performance.now() < until) {
    await delay(Math.min(50, Math.max(1, until - performance.now())));
  }
  return reason;
}

// A container ends with its first process, and so does this: whatever it left behind is killed.
async function clear(
  marker: RunMarker,
  group: number | undefined,
  stopReason: StopReason | undefined,
  capture: Capture,
): Promise<boolean> {
  const isLeft = isRunAlive(marker, group);
  const isGone = await killRun(marker, group, killMarginMs);
  if (isLeft && stopReason === undefined)
    capture.note("The command ended and left processes behind; they were killed.");
  if (!isGone) capture.note("Some processes of the task could not be killed.");
  return isGone;
}
