import { deadlineAfter } from "@drover/daemon/deadline";
import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "../docker/engine.ts";
import type { StoppedLook } from "../docker/look.ts";
import type { Absence } from "./absence.ts";
import { createAbsence } from "./absence.ts";
import type { StopGrace, StopReason } from "./executor.ts";

export interface SuperviseDeps {
  engine: Engine;
  graceMs: StopGrace;
  /** How long the engine may be away before the run is given up. */
  engineTimeoutMs: number;
}

/** How a container's watch ended. */
export type Ending =
  | { kind: "stopped"; look: StoppedLook; stopReason: StopReason | undefined; wasEngineAway: boolean }
  | { kind: "missing"; stopReason: StopReason | undefined }
  | { kind: "lost"; message: string };

const lookEveryMs = 30_000;
const lookAgainMs = 250;
const shutdownMs = 6000;

/**
 * Watches a container to its end. The engine's own wait says when to look; only a look decides:
 *   running -> go on, stopped or missing -> the end, unknown -> look again until the bound is over.
 * When `stopping` fires: SIGTERM, the grace, SIGKILL, and again looks until it is proven gone.
 */
export async function supervise(deps: SuperviseDeps, id: string, stopping: AbortSignal): Promise<Ending> {
  const absence = createAbsence(deps.engineTimeoutMs);
  while (!stopping.aborted) {
    await awaitEnd(deps.engine, id, lookEveryMs, stopping);
    if (stopping.aborted) break;
    const ending = await lookForEnd(deps.engine, id, absence, undefined);
    if (ending !== undefined) return ending;
    await delay(lookAgainMs, undefined, { signal: stopping }).catch(() => undefined);
  }
  return terminate(deps, id, stopping.reason as StopReason, absence);
}

async function terminate(deps: SuperviseDeps, id: string, reason: StopReason, absence: Absence): Promise<Ending> {
  const killAt = performance.now() + deps.graceMs(reason);
  let isAsked = false;
  let isOurs = false;
  for (;;) {
    const leftMs = killAt - performance.now();
    const isDue = leftMs <= 0;
    if (isDue || !isAsked) {
      const answer = await deps.engine.kill(id, isDue ? "SIGKILL" : "SIGTERM");
      isAsked ||= answer.ok;
      // Refused because it has ended by itself: then that end counts, not our reason.
      isOurs ||= answer.ok;
    }
    if (isAsked) await awaitEnd(deps.engine, id, isDue ? 1000 : leftMs);
    const ending = await lookForEnd(deps.engine, id, absence, isOurs ? reason : undefined);
    if (ending?.kind === "missing") return { ...ending, stopReason: reason };
    if (ending !== undefined) return ending;
    const untilKillMs = killAt - performance.now();
    await delay(untilKillMs > 0 ? Math.min(lookAgainMs, untilKillMs) : lookAgainMs);
  }
}

async function lookForEnd(
  engine: Engine,
  id: string,
  absence: Absence,
  stopReason: StopReason | undefined,
): Promise<Ending | undefined> {
  const look = await engine.look(id);
  switch (look.state) {
    case "running":
      absence.end();
      return undefined;
    case "stopped": {
      const wasEngineAway = absence.wasAway || (stopReason === undefined && (await isShutdown(engine, look)));
      return { kind: "stopped", look, stopReason, wasEngineAway };
    }
    case "missing":
      return { kind: "missing", stopReason };
    case "unknown":
      return absence.isTooLong() ? { kind: "lost", message: look.message } : undefined;
  }
}

// An engine that is shut down ends its containers first and answers for a while: a signal that neither we nor
// the memory limit sent is worth the wait to see whether it goes.
async function isShutdown(engine: Engine, look: StoppedLook): Promise<boolean> {
  const isSignalled = (look.exitCode === 137 || look.exitCode === 143) && !look.isOutOfMemory;
  const until = performance.now() + shutdownMs;
  while (isSignalled && performance.now() < until) {
    const answer = await engine.version();
    if (!answer.ok) return true;
    await delay(lookAgainMs);
  }
  return false;
}

async function awaitEnd(engine: Engine, id: string, ms: number, stopping?: AbortSignal): Promise<void> {
  const over = deadlineAfter(Math.max(1, ms));
  await engine.awaitEnd(id, stopping === undefined ? over : AbortSignal.any([over, stopping]));
}
