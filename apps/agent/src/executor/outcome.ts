import { constants } from "node:os";
import type { FailedRun, RunOutcome, RunRequest, RunResult, StopReason } from "./executor.ts";

/** What was seen when a run ended. */
export interface End {
  exitCode: number | null;
  /** The signal that ended it, where the system told. */
  signal?: string;
  isOutOfMemory?: boolean;
  /** Set when we ended it. */
  stopReason?: StopReason;
  /** The engine was away while it ran, so that a kill may have been the engine's own. */
  wasEngineAway?: boolean;
}

/** The outcome of an attempt that never ran. */
export function failed(errorClass: string, message: string): FailedRun {
  return { state: "failed", errorClass, message };
}

/** The outcome of an attempt that was stopped before anything of it ran. */
export function stoppedEarly(request: RunRequest, reason: StopReason): FailedRun {
  return failed(reason, stopMessage(request, reason));
}

/** Decides how an attempt ended from what was seen; our own reason to stop it counts first. */
export function settle(request: RunRequest, end: End, result: RunResult): RunOutcome {
  if (end.stopReason !== undefined) {
    return { ...stoppedEarly(request, end.stopReason), result };
  }
  if (end.exitCode === 0) return { state: "completed", result };
  const [errorClass, message] = fault(request, end, result);
  return { state: "failed", errorClass, message, result };
}

function fault(request: RunRequest, end: End, result: RunResult): [string, string] {
  if (end.isOutOfMemory === true) {
    const limit = request.execution.resources?.memoryBytes;
    const allowed = limit === undefined ? "the memory of the host" : `its ${limit} bytes of memory`;
    return ["oom_killed", `The task used more than ${allowed} and was killed; ask for more in resources.memoryBytes.`];
  }
  const signal = end.signal ?? signalOf(end.exitCode);
  const isKill = signal === "SIGKILL" || signal === "SIGTERM" || end.exitCode === null;
  if (end.wasEngineAway === true && isKill) {
    return ["engine_unavailable", "The container engine went away under the task and ended its container."];
  }
  const how = end.exitCode === null ? `was ended by ${signal ?? "a signal"}` : `exited with code ${end.exitCode}`;
  const named = end.exitCode !== null && signal !== undefined ? ` (${signal})` : "";
  const last = lastLine(result.stderrTail);
  return ["exit_nonzero", `The command ${how}${named}${last === "" ? "." : `: ${last}`}`];
}

function stopMessage(request: RunRequest, reason: StopReason): string {
  switch (reason) {
    case "timeout":
      return `task ${request.taskId} timed out after ${request.timeoutSeconds} seconds`;
    case "cancelled":
      return `task ${request.taskId} was cancelled`;
    case "lease_lost":
      return `task ${request.taskId} was stopped because this node could not renew its lease`;
    case "drained":
      return `task ${request.taskId} was stopped because this node is draining`;
    case "gpu_lost":
      return `task ${request.taskId} was stopped because a GPU that it was given is lost`;
  }
}

// A shell and the init process report a signal as 128 plus its number.
function signalOf(exitCode: number | null): string | undefined {
  if (exitCode === null || exitCode <= 128) return undefined;
  return Object.entries(constants.signals).find(([, number]) => number === exitCode - 128)?.[0];
}

function lastLine(text: string): string {
  return (text.trimEnd().split("\n").at(-1) ?? "").trim().slice(0, 500);
}
