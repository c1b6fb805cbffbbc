import { lockSchedule, type NewSchedule, type ScheduleRow, upsertSchedule } from "@drover/db/query/schedule";
import { findVersion } from "@drover/db/query/workflow";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { nextTime, type NextTime, type ScheduleTiming, withJitter } from "@drover/domain/schedule";
import { scheduledInput, type ScheduleFault, scheduleFaults } from "@drover/domain/schedule-fault";
import type { Definition } from "@drover/domain/workflow/definition";
import type { Caller, Deps } from "./context.ts";
import { checkInput } from "./start-run.ts";

/**
 * Writes a schedule, new or changed; whether it is new. Where its times stay as they were, those that nobody has dealt
 * with stay due; else it begins anew with the next time from now.
 */
export async function putSchedule(deps: Deps, caller: Caller, draft: NewSchedule): Promise<{ created: boolean }> {
  const faults = scheduleFaults(draft);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  faults.push(...(await workflowFaults(deps, namespaceId, draft)));
  if (faults.length > 0) {
    const message = faults.map(({ field, message: fault }) => `${field}: ${fault.replace(/\.$/, "")}`).join("; ");
    throw new DroverError("invalid", `${message}.`, { fields: faults });
  }
  const created = await deps.db.transaction(async (tx) => {
    const { now, before } = await lockSchedule(tx, namespaceId, draft.name);
    const seed = scheduleSeed(namespaceId, draft.name);
    const next = keptTime(before, draft.timing, seed) ?? nextTime(draft.timing, seed, now);
    return upsertSchedule(tx, { namespaceId, actor: caller.actor }, draft, next);
  });
  deps.waker.wake("schedule");
  return { created };
}

/** What the jitter of a schedule is drawn from. */
export function scheduleSeed(namespaceId: number, name: string): string {
  return `${namespaceId}/${name}`;
}

/** When a stored schedule fires. */
export function timingOf(row: ScheduleRow): ScheduleTiming {
  const { cron, time_zone: timeZone, starts_at, ends_at, jitter_ms: jitterMs } = row;
  return { cron, timeZone, jitterMs, ...(starts_at && { startsAt: starts_at }), ...(ends_at && { endsAt: ends_at }) };
}

function keptTime(before: ScheduleRow | undefined, timing: ScheduleTiming, seed: string): NextTime | undefined {
  if (before === undefined || before.next_at === null) return undefined;
  const isSame =
    before.cron === timing.cron &&
    before.time_zone === timing.timeZone &&
    before.starts_at?.getTime() === timing.startsAt?.getTime() &&
    before.ends_at?.getTime() === timing.endsAt?.getTime();
  return isSame ? withJitter(timing, seed, before.next_at.getTime()) : undefined;
}

/** What is wrong with the workflow that is to be started, or with the input that it would get now. */
async function workflowFaults({ db }: Deps, namespaceId: number, draft: NewSchedule): Promise<ScheduleFault[]> {
  const { name, workflow, workflowVersion, input } = draft;
  const version = await findVersion(db, namespaceId, workflow, workflowVersion);
  if (version !== undefined) {
    const rendered = scheduledInput(input, { name, time: new Date() });
    return "fault" in rendered ? [] : inputFaults(version.definition, rendered.value);
  }
  const newest = await findVersion(db, namespaceId, workflow);
  if (newest !== undefined) {
    const message = `expected a version of workflow "${workflow}" up to ${newest.number}, got ${workflowVersion}`;
    return [{ field: "workflow_version", message }];
  }
  const message = `expected a workflow that exists, got "${workflow}"; list them with "drover workflow list"`;
  return [{ field: "workflow", message }];
}

function inputFaults(definition: Definition, input: Json): ScheduleFault[] {
  try {
    checkInput(definition, input);
    return [];
  } catch (error) {
    if (error instanceof DroverError && error.reason === "invalid") return error.facts.fields ?? [];
    throw error;
  }
}
