import type { HeldClaim } from "@drover/db/node/register";
import type { LlmAnswer } from "@drover/domain/workflow/llm-call";
import {
  claimKey,
  type LogSink,
  type Run,
  type RunOutcome,
  type RunRequest,
  type RunResult,
  type StopReason,
} from "./executor/executor.ts";
import type { GpuHold } from "./gpu/watch.ts";
import type { ShippedLog } from "./log-shipper.ts";

export type AnyResult = RunResult | LlmAnswer;

/** A claim in hand, from its arrival until its report has got through. */
export interface InHand {
  request: RunRequest;
  class: string;
  executor: string;
  shipped: ShippedLog;
  /** On GPUs. */
  places: string[];
  /** Resolved once nothing of it runs any more, though its report may still be under way. */
  ended: PromiseWithResolvers<void>;
  run?: Run<AnyResult>;
  /** Set before there was a run to stop. */
  stopReason?: StopReason;
  gpu?: GpuHold;
  /** Left running for the next life of this agent, which will report it. */
  isKept?: boolean;
}

/** Stops what runs, or will. */
export async function stopOne(one: InHand, reason: StopReason): Promise<void> {
  one.stopReason ??= reason;
  await one.run?.stop(reason);
}

/** Joins a claim with its run. */
export function attach(one: InHand, run: Run<AnyResult>): void {
  one.run = run;
  if (one.stopReason !== undefined) void run.stop(one.stopReason);
}

/** The end of an attempt that left nothing behind. */
export const missing: RunOutcome = {
  state: "failed",
  errorClass: "agent_restarted",
  message: "The agent was started anew and found nothing of this attempt.",
};

/** Names a claim as the database tells it. */
export function keyOf(claim: HeldClaim): string {
  return claimKey({ taskKey: claim.task_id, fence: claim.fence });
}

/** Where the output of a claim goes: to its log, and to those who watch over its GPUs. */
export function sinkOf({ shipped, gpu }: InHand): LogSink {
  if (gpu === undefined) return shipped;
  return {
    write(stream, text, at) {
      shipped.write(stream, text, at);
      if (stream === "stdout" || stream === "stderr") gpu.hear(text);
    },
  };
}

/** An attempt that failed with a sign of a lost GPU waits for what the host says of it. */
export async function judge({ gpu }: InHand, end: RunOutcome<AnyResult>): Promise<RunOutcome<AnyResult>> {
  if (gpu === undefined || end.state === "completed" || !mayBeGpu.has(end.errorClass)) return end;
  if (end.errorClass === "start_failed") gpu.hear(`${end.message}\n`);
  const loss = await gpu.settle();
  if (loss === undefined) return end;
  const what = loss.action === "cordon" ? "is lost" : "was lost to the container";
  return { ...end, errorClass: "gpu_lost", message: `The GPU ${loss.uuid} ${what}: ${loss.evidence}` };
}

const mayBeGpu = new Set(["gpu_lost", "exit_nonzero", "start_failed", "engine_unavailable"]);
