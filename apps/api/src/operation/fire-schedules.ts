import type { Executor } from "@drover/db/client";
import {
  type DueSchedule,
  insertScheduleEvents,
  isRunOpen,
  lockDueSchedule,
  settleSchedule,
  untilDueMs,
  withSavepoint,
} from "@drover/db/query/schedule";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { type FiringPlan, planFiring } from "@drover/domain/schedule";
import { scheduledInput } from "@drover/domain/schedule-fault";
import type { Caller, Deps } from "./context.ts";
import { scheduleSeed, timingOf } from "./put-schedule.ts";
import type { RunDraft } from "./start-run.ts";

/** Starts a run within a transaction of the caller's. */
export type StartRun = (
  deps: Deps,
  tx: Executor,
  caller: Caller,
  draft: RunDraft,
) => Promise<{ runId: string; created: boolean }>;

export interface FireOptions {
  start: StartRun;
  /** For tests; else it is the database's time that counts. */
  now?: Date;
  /** How many times of a schedule are fired in one transaction. */
  most?: number;
}

export interface FiringReport extends Firing {
  /** Until the next schedule is due; undefined when none ever will be. */
  untilDueMs: number | undefined;
}

interface Firing {
  /** Runs that were started. */
  fired: number;
  /** Starts that were refused, each in a sentence. */
  failures: { schedule: string; message: string; cause?: unknown }[];
}

const mostTransactions = 200;

/**
 * Fires what is due: one schedule after the other, each in a transaction that locks it, starts its runs and writes its
 * next time. Replicas pass over what another one has locked, and a time that was dealt with is not due again, so none
 * fires twice; that the run's idempotency key names the time is a second guard.
 */
export async function fireSchedules(deps: Deps, options: FireOptions): Promise<FiringReport> {
  const report: FiringReport = { fired: 0, failures: [], untilDueMs: await untilDueMs(deps.db, options.now) };
  if (report.untilDueMs === undefined || report.untilDueMs > 0) return report;
  const troubled: { id: number; error: unknown }[] = [];
  for (let count = 0; count < mostTransactions; count++) {
    let lockedId: number | undefined;
    try {
      const firing = await deps.db.transaction(async (tx) => {
        const due = await lockDueSchedule(tx, { now: options.now, exceptIds: troubled.map(({ id }) => id) });
        lockedId = due?.id;
        return due && fireSchedule(deps, tx, due, options);
      });
      if (firing === undefined) break;
      report.fired += firing.fired;
      report.failures.push(...firing.failures);
    } catch (error) {
      // One that cannot be dealt with at the moment holds up no other; without a lock there is nothing to pass over.
      if (lockedId === undefined) throw error;
      troubled.push({ id: lockedId, error });
    }
  }
  if (report.fired > 0) deps.waker.wake("advance");
  if (troubled[0] !== undefined) throw troubled[0].error;
  report.untilDueMs = await untilDueMs(deps.db, options.now);
  return report;
}

async function fireSchedule(deps: Deps, tx: Executor, due: DueSchedule, options: FireOptions): Promise<Firing> {
  const firing: Firing = { fired: 0, failures: [] };
  const { id, name, namespace_id: namespaceId } = due;
  const caller = { namespace: due.namespace, actor: `schedule:${name}` };
  const events: Parameters<typeof insertScheduleEvents>[2][number][] = [];
  const note = (kind: string, data: Record<string, Json>, runId?: string) =>
    void events.push({ kind, runId, data: { schedule: name, ...data } });
  const plan = tryPlan(due, options.most ?? 10);
  if ("unreadable" in plan) {
    const message = `The schedule was paused, since its next time cannot be told: ${plan.unreadable}.`;
    note("schedule.failed", { message });
    await settleSchedule(tx, id, { next: nextOf(due), error: message, isPaused: true });
    await insertScheduleEvents(tx, { namespaceId, actor: caller.actor }, events);
    return { fired: 0, failures: [{ schedule: name, message }] };
  }
  if (plan.dropped) {
    note("schedule.missed", { from: plan.dropped.from.toISOString(), to: plan.dropped.to.toISOString() });
  }
  let last: { at: Date; runId: string } | undefined;
  let error: string | null | undefined;
  for (const at of plan.times) {
    const time = at.toISOString();
    const formerId = last?.runId ?? due.last_run_id;
    if (due.overlap === "skip" && formerId !== null && (await isRunOpen(tx, formerId))) {
      note("schedule.skipped", { time, reason: "overlap" }, formerId);
      continue;
    }
    const outcome = await tryStart(deps, tx, caller, due, at, options.start);
    if ("runId" in outcome) {
      last = { at, runId: outcome.runId };
      error = null;
      firing.fired += 1;
      note("schedule.fired", { time }, outcome.runId);
    } else {
      error = outcome.message;
      firing.failures.push({ schedule: name, ...outcome });
      note("schedule.failed", { time, message: outcome.message });
    }
  }
  await settleSchedule(tx, id, { next: plan.next, last, error });
  if (events.length > 0) await insertScheduleEvents(tx, { namespaceId, actor: caller.actor }, events);
  return firing;
}

/** What was stored could be read then; a process with other time zones may not. */
function tryPlan(due: DueSchedule, most: number): FiringPlan | { unreadable: string } {
  try {
    return planFiring({
      timing: timingOf(due),
      seed: scheduleSeed(due.namespace_id, due.name),
      nextAt: due.next_at ?? due.now,
      now: due.now,
      catchUp: due.catch_up,
      catchUpLimit: due.catch_up_limit,
      most,
    });
  } catch (error) {
    return { unreadable: error instanceof Error ? error.message : String(error) };
  }
}

function nextOf({ next_at, due_at }: DueSchedule) {
  return next_at === null || due_at === null ? undefined : { at: next_at, dueAt: due_at };
}

/** Starts the run of one time. A refusal takes back only what this start had written. */
async function tryStart(
  deps: Deps,
  tx: Executor,
  caller: Caller,
  due: DueSchedule,
  time: Date,
  start: StartRun,
): Promise<{ runId: string } | { message: string; cause?: unknown }> {
  const input = scheduledInput(due.input, { name: due.name, time });
  if ("fault" in input) return { message: `input: ${input.fault}.` };
  try {
    return await withSavepoint(tx, () =>
      start(deps, tx, caller, {
        workflow: due.workflow,
        ...(due.workflow_version !== null && { version: due.workflow_version }),
        input: input.value,
        idempotencyKey: `schedule:${due.name}:${time.toISOString()}`,
        ...(due.labels !== null && { labels: due.labels }),
      }),
    );
  } catch (error) {
    if (!(error instanceof DroverError)) {
      return { message: "The server failed to start the run; its log has the cause.", cause: error };
    }
    if (error.reason === "unavailable") throw error;
    const { hint } = error.facts;
    return { message: hint === undefined ? error.message : `${error.message} ${hint}` };
  }
}
