import { create, type JsonObject } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { findSchedule, listSchedules, type NewSchedule, type ScheduleRow } from "@drover/db/query/schedule";
import { DroverError } from "@drover/domain/error";
import { decodePageToken, encodePageToken } from "@drover/domain/page-token";
import { formatRunId } from "@drover/domain/run-id";
import {
  catchUpPolicies,
  type CatchUpPolicy,
  defaultCatchUpLimit,
  nextTimes,
  type OverlapPolicy,
} from "@drover/domain/schedule";
import {
  CatchUp,
  Overlap,
  type Schedule,
  ScheduleSchema,
  type ScheduleService,
  type ScheduleSpec,
  ScheduleState,
} from "@drover/proto/drover/schedule";
import type { Deps } from "../operation/context.ts";
import { deleteSchedule } from "../operation/delete-schedule.ts";
import { pauseSchedule, scheduleNotFound } from "../operation/pause-schedule.ts";
import { putSchedule, timingOf } from "../operation/put-schedule.ts";
import { callerOf } from "./caller.ts";
import { millis } from "./task-spec.ts";

/** drover.v1.ScheduleService. */
export function scheduleService(deps: Deps): ServiceImpl<typeof ScheduleService> {
  const read = async (context: HandlerContext, name: string): Promise<Schedule> => {
    const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
    const row = await findSchedule(deps.db, namespaceId, name);
    if (row === undefined) throw scheduleNotFound(name);
    return scheduleMessage(row, 5);
  };
  const setPaused = async (context: HandlerContext, name: string, isPaused: boolean) => {
    await pauseSchedule(deps, callerOf(context), name, isPaused);
    return { schedule: await read(context, name) };
  };
  return {
    async putSchedule({ schedule }, context) {
      if (schedule === undefined) throw new DroverError("invalid", "Expected a schedule, got none.");
      const { created } = await putSchedule(deps, callerOf(context), draftOf(schedule));
      return { schedule: await read(context, schedule.name), created };
    },
    async getSchedule({ name }, context) {
      return { schedule: await read(context, name) };
    },
    async listSchedules({ pageSize, pageToken }, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const size = pageSize || 100;
      const afterName = pageToken === "" ? "" : (decodePageToken(pageToken, "schedules")["name"] ?? "");
      const rows = await listSchedules(deps.db, namespaceId, { afterName, limit: size + 1 });
      const page = rows.slice(0, size);
      const last = page.at(-1);
      return {
        schedules: page.map((row) => scheduleMessage(row, 1)),
        nextPageToken:
          rows.length > size && last !== undefined ? encodePageToken({ name: last.name }, "schedules") : "",
      };
    },
    pauseSchedule: ({ name }, context) => setPaused(context, name, true),
    resumeSchedule: ({ name }, context) => setPaused(context, name, false),
    async deleteSchedule({ name }, context) {
      await deleteSchedule(deps, callerOf(context), name);
      return {};
    },
  };
}

function draftOf(spec: ScheduleSpec): NewSchedule {
  return {
    name: spec.name,
    workflow: spec.workflow,
    ...(spec.workflowVersion > 0 && { workflowVersion: spec.workflowVersion }),
    input: spec.input ?? {},
    ...(Object.keys(spec.labels).length > 0 && { labels: spec.labels }),
    timing: {
      cron: spec.cron.trim(),
      timeZone: spec.timeZone || "UTC",
      startsAt: spec.startsAt && timestampDate(spec.startsAt),
      endsAt: spec.endsAt && timestampDate(spec.endsAt),
      jitterMs: spec.jitter ? millis(spec.jitter) : 0,
    },
    catchUp: catchUpPolicies.find((policy) => catchUps[policy] === spec.catchUp) ?? "latest",
    catchUpLimit: spec.catchUpLimit || defaultCatchUpLimit,
    overlap: spec.overlap === Overlap.SKIP ? "skip" : "allow",
  };
}

const catchUps = { skip: CatchUp.SKIP, latest: CatchUp.LATEST, all: CatchUp.ALL } as const satisfies Record<
  CatchUpPolicy,
  CatchUp
>;
const overlaps = { allow: Overlap.ALLOW, skip: Overlap.SKIP } as const satisfies Record<OverlapPolicy, Overlap>;

function scheduleMessage(row: ScheduleRow, count: number): Schedule {
  const stamp = (at: Date | null) => (at === null ? undefined : timestampFromDate(at));
  return create(ScheduleSchema, {
    spec: {
      name: row.name,
      workflow: row.workflow,
      workflowVersion: row.workflow_version ?? 0,
      input: row.input as JsonObject,
      cron: row.cron,
      timeZone: row.time_zone,
      startsAt: stamp(row.starts_at),
      endsAt: stamp(row.ends_at),
      ...(row.jitter_ms > 0 && { jitter: durationFromMs(row.jitter_ms) }),
      catchUp: catchUps[row.catch_up],
      catchUpLimit: row.catch_up_limit,
      overlap: overlaps[row.overlap],
      labels: row.labels ?? {},
    },
    state: stateOf(row),
    nextTimes: comingTimes(row, count).map(timestampFromDate),
    lastTime: stamp(row.last_at),
    lastRunId: row.last_run_id === null ? "" : formatRunId(row.last_run_id),
    error: row.error ?? "",
    errorAt: stamp(row.error_at),
    pausedAt: stamp(row.paused_at),
    createdAt: stamp(row.created_at),
    updatedAt: stamp(row.updated_at),
  });
}

function stateOf({ next_at, paused_at }: ScheduleRow): ScheduleState {
  if (next_at === null) return ScheduleState.ENDED;
  return paused_at === null ? ScheduleState.ACTIVE : ScheduleState.PAUSED;
}

/** One that goes on begins with the time that nobody has dealt with; a paused one with what comes after now. */
function comingTimes(row: ScheduleRow, count: number): Date[] {
  if (row.next_at === null) return [];
  const fromMs = row.paused_at === null ? row.next_at.getTime() : Math.max(row.next_at.getTime(), Date.now());
  try {
    return nextTimes(timingOf(row), new Date(fromMs - 1), count);
  } catch {
    return []; // its time zone is none that this process knows; `error` says so once it was to fire
  }
}
