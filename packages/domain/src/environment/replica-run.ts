import { countFailure, forgive, isGivenUp, noTries, type Tries } from "./backoff.ts";
import { type Drift, type FoundContainer, type ReplicaAction, type ReplicaMemory, runKey } from "./replica-memory.ts";
import {
  bringUp,
  endedWell,
  givenUp,
  listed,
  resting,
  status,
  type Step,
  type StepInput,
  stop,
} from "./replica-start.ts";

/** Of a container that runs: whether it is healthy, still starting, or has to be restarted. */
export function watch(input: StepInput, before: ReplicaMemory, found: FoundContainer, drift: readonly Drift[]): Step {
  const { desired, health, nowMs } = input;
  const { health: check, restart } = desired.spec.service;
  const key = runKey(found);
  const known = before.run?.key === key ? before.run : { key, sinceMs: nowMs };
  const isHealthy = check === undefined || health?.isHealthy === true;
  const isSteady = isHealthy || (health?.hasBeenHealthy === true && health.failuresInRow < check.retries);
  if (isSteady) {
    const healthySinceMs = known.healthySinceMs ?? nowMs;
    const { trouble: _, ...rest } = before;
    const tries = forgive(before.tries, nowMs - healthySinceMs);
    // A run that recovered may fail, and be counted, again.
    const memory = { ...rest, tries, setup: noTries, run: { ...known, healthySinceMs } };
    if (isHealthy && memory.countedRun === key) delete memory.countedRun;
    const changed = drift.length > 0 ? `Changed by hand: ${listed(drift.map(({ field }) => field))}.` : "";
    return {
      memory,
      status: {
        ...status(memory, "running", isHealthy ? changed : (health?.message ?? "")),
        ...(check !== undefined && { isHealthy }),
        healthySinceMs,
      },
    };
  }
  const { healthySinceMs: _, ...run } = known;
  const memory: ReplicaMemory = { ...before, run };
  const isStarting = health?.hasBeenHealthy !== true;
  const deadlineMs = known.sinceMs + check.startSeconds * 1000;
  const said = health?.message ?? "";
  if (isStarting && nowMs < deadlineMs) {
    return { memory, status: { ...status(memory, "starting", said), isHealthy: false }, wakeAtMs: deadlineMs };
  }
  const trouble = isStarting
    ? `Not healthy within ${check.startSeconds} s of its start: ${said}`
    : `${health.failuresInRow} probes in a row failed: ${said}`;
  const tries = countFailure(memory.tries, restart, nowMs);
  const isLast = isStarting && restart.when === "never";
  const counted =
    memory.countedRun === key
      ? memory
      : { ...memory, countedRun: key, countedAtMs: nowMs, trouble, tries: isLast ? atRest(tries) : tries };
  const state = isStarting ? "failed" : "unhealthy";
  if (restart.when === "never" && !isStarting)
    return { memory: counted, status: { ...status(counted, state, trouble), isHealthy: false } };
  // One that was healthy may recover until its restart is due; one that never was only holds resources.
  const isDue = isStarting || isGivenUp(counted.tries, restart) || nowMs >= counted.tries.nextAtMs;
  return {
    memory: counted,
    ...(isDue ? { action: stop(found) } : { wakeAtMs: counted.tries.nextAtMs }),
    status: { ...status(counted, state, trouble), isHealthy: false },
  };
}

/** Of a container that ended: whether and when it is started again. */
export function takeEnd(input: StepInput, before: ReplicaMemory, found: FoundContainer): Step {
  const { desired, nowMs, engineAwaySinceMs } = input;
  const { restart } = desired.spec.service;
  const key = runKey(found);
  const start: ReplicaAction = { kind: "start", containerId: found.id };
  const isWatched = before.run?.key === key;
  const isCounted = before.countedRun === key;
  let memory = before;
  if (isWatched && endedWithEngine(before, isCounted, engineAwaySinceMs)) {
    const failures = Math.max(0, before.tries.failures - Number(isCounted));
    const tries = { failures, nextAtMs: nowMs };
    memory = { ...before, countedRun: key, countedAtMs: nowMs, trouble: "The container engine was away.", tries };
  } else if (!isCounted) {
    const healthyMs = isWatched && before.run?.healthySinceMs !== undefined ? nowMs - before.run.healthySinceMs : 0;
    const tries = countFailure(forgive(before.tries, healthyMs), restart, nowMs);
    memory = { ...before, countedRun: key, countedAtMs: nowMs, tries, trouble: endMessage(found) };
    const hasFailed = found.exitCode !== 0;
    if (restart.when === "never" || (restart.when === "on-failure" && !hasFailed)) {
      memory = { ...memory, tries: atRest(tries) };
    }
  }
  if (memory.tries.nextAtMs === Number.POSITIVE_INFINITY) {
    return { memory, status: resting(memory, endMessage(found)) };
  }
  if (isGivenUp(memory.tries, restart)) {
    return { memory, status: status(memory, "failed", givenUp(memory.trouble ?? endMessage(found), restart)) };
  }
  return bringUp(input, { ...memory, hasImage: true }, start);
}

/** Remembered at the far end of time, so that no later look starts it. */
function atRest(tries: Tries): Tries {
  return { ...tries, nextAtMs: Number.POSITIVE_INFINITY };
}

function endMessage({ exitCode, isOutOfMemory }: FoundContainer): string {
  if (isOutOfMemory === true) return "Ended because its memory was used up.";
  return exitCode === 0 ? endedWell : `Ended with exit code ${exitCode ?? "unknown"}.`;
}

/** Before an engine goes away in order it ends what runs, and may still tell of that. */
const shutdownMs = 15_000;

function endedWithEngine({ countedAtMs = 0 }: ReplicaMemory, isCounted: boolean, sinceMs: number | undefined): boolean {
  return sinceMs !== undefined && (!isCounted || countedAtMs >= sinceMs - shutdownMs);
}
