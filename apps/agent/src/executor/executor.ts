import type { Execution } from "@drover/domain/execution";
import type { LlmRateLimit, LlmUsage } from "@drover/domain/workflow/llm-call";
import type { AllocatedGpu } from "../gpu/device-request.ts";

/** One attempt to run, as claimed. `taskKey` and `fence` name the claim; both are decimal bigints. */
export interface RunRequest {
  taskKey: string;
  fence: string;
  attempt: number;
  /** The id that clients know. */
  taskId: string;
  namespace: string;
  class: string;
  execution: Execution;
  /** Any JSON value. */
  payload: unknown;
  timeoutSeconds: number;
  /** What was reserved for a call to a model. */
  grant?: { maxOutputTokens?: number };
  /** Places on GPUs of this host that were set aside for it, one entry for each. */
  gpus?: readonly AllocatedGpu[];
}

/** How an attempt ended. Errors carry a class to act on: exit_nonzero, timeout, oom_killed, image_unavailable, ... */
export type RunOutcome<Result = RunResult> = { state: "completed"; result: Result } | FailedRun;

export interface FailedRun {
  state: "failed";
  errorClass: string;
  message: string;
  result?: RunResult;
  /** What is settled although the attempt failed. */
  details?: { status?: number; usage?: LlmUsage; rateLimit?: LlmRateLimit };
  /** When to try again, where somebody said so. */
  retryAfterMs?: number;
}

/** What an attempt left behind (JSON; the compatible interfaces render it from this). */
export interface RunResult {
  exitCode: number | null;
  durationMs: number;
  outputs: { path: string; type?: string; name?: string; sizeBytes: number; checksum: string }[];
  /** Parsed contents of the JSON outputs, by file name; by path where two outputs share one. */
  outputsSummary: Record<string, unknown>;
  /** The last 4096 bytes of each stream. */
  stdoutTail: string;
  stderrTail: string;
  /** JSON after `__DSPY_RESULT__:` on a line of stdout. */
  runnerOutput?: unknown;
  workingDir: string;
}

/** `token`: an answer of a model as it comes, in pieces that are no lines. */
export type LogStream = "stdout" | "stderr" | "system" | "token";

/** Where a run's output goes; the sink bounds and batches, and never throws. */
export interface LogSink {
  write(stream: LogStream, text: string, at: Date): void;
}

/** Why a run is stopped before its end; it becomes the error class of the outcome. */
export type StopReason = "timeout" | "cancelled" | "lease_lost" | "drained" | "gpu_lost";

/** How long a run may take to end politely, by the reason: a lost lease leaves less time than an operator does. */
export type StopGrace = (reason: StopReason) => number;

export interface Run<Result = RunResult> {
  readonly taskKey: string;
  readonly fence: string;
  /** Never rejects. */
  readonly outcome: Promise<RunOutcome<Result>>;
  /**
   * Ends the run: a polite signal, then after the grace a kill. Resolves when it is proven gone (the outcome
   * follows once its log and outputs are read);
   * `gone: false` only where the engine could not be reached for the whole bound. The first reason counts.
   */
  stop(reason: StopReason): Promise<{ gone: boolean }>;
  /** Runs a command where the task runs, to see what it sees; undefined: no answer could be had. */
  ask?(command: readonly string[]): Promise<{ exitCode: number; output: string } | undefined>;
}

/** A claim that this node still holds, and until when its log is already shipped. */
export interface HeldClaim {
  taskKey: string;
  fence: string;
  request: RunRequest;
  logsSince?: Date;
}

/** A way to run tasks on this host. */
export interface TaskExecutor<Result = RunResult> {
  readonly name: "docker" | "process" | "llm";
  /** Whether it can run anything now; the reason otherwise, as a sentence. */
  probe(): Promise<{ ready: true; facts: Record<string, string> } | { ready: false; reason: string }>;
  /** Starts an attempt. Faults of the start become the outcome. */
  start(request: RunRequest, logs: LogSink): Run<Result>;
  /**
   * Takes up what a former life of this agent left running, by label. A held claim that is not among the
   * runs has nothing on this host any more. Throws `unavailable` where that cannot be known now.
   */
  adopt(held: HeldClaim[], logs: (request: RunRequest) => LogSink): Promise<Run<Result>[]>;
  /** Removes own leftovers that no held claim (claimKey) names, once they are older than the grace. */
  sweep(held: ReadonlySet<string>): Promise<{ removed: string[] }>;
}

/** Names a claim in sets, markers and container names. */
export function claimKey(claim: { taskKey: string; fence: string }): string {
  return `${claim.taskKey}-${claim.fence}`;
}
