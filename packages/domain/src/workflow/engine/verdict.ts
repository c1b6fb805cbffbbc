import type { RunCounts, RunFacts, StepError } from "./advance-question.ts";
import type { FailurePolicy } from "../definition.ts";
import type { FinalRunState } from "../lifecycle.ts";

/** How a run ends of which nothing is left to do. */
export function decideEnd(
  counts: RunCounts,
  stopping: RunFacts["stopping"],
  policy: FailurePolicy | undefined,
  reason: string | undefined,
): { state: FinalRunState; error: StepError | null } {
  if (stopping === "cancelled") return ended("cancelled", "cancelled", reason || "Somebody cancelled the run.");
  if (stopping === "deadline") return ended("failed", "deadline_exceeded", "The run took longer than it may.");
  const failed = counts.failed - counts.tolerated;
  if (failed === 0) return { state: "completed", error: null };
  const share = failed / counts.total;
  const tooMany = policy?.maxFailedShare !== undefined && share > policy.maxFailedShare;
  const isLost = stopping === "failed" || tooMany || counts.completed === 0;
  const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} ${counts.skipped === 1 ? "was" : "were"} skipped`;
  const what = `${failed} of ${counts.total} steps failed${skipped}.`;
  return ended(isLost ? "failed" : "partially_completed", "step_failed", reason || what);
}

function ended(state: FinalRunState, errorClass: string, message: string) {
  return { state, error: { class: errorClass, message } };
}
