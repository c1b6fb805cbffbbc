import { toJson } from "@bufbuild/protobuf";
import type { GenEnum } from "@bufbuild/protobuf/codegenv2";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  CatchUpSchema,
  OverlapSchema,
  type Schedule,
  ScheduleSchema,
  ScheduleState,
  ScheduleStateSchema,
} from "@drover/proto/drover/schedule";
import { formatDuration } from "./duration.ts";
import type { Cell, Column } from "./table.ts";

export const scheduleColumns: Column[] = [
  { heading: "SCHEDULE" },
  { heading: "STATE" },
  { heading: "WORKFLOW" },
  { heading: "CRON" },
  { heading: "ZONE" },
  { heading: "NEXT" },
  { heading: "LAST" },
  { heading: "NOTE", isFlexible: true },
];

/** A schedule for programs: the JSON of the contract, with the words of the product for states and policies. */
export function scheduleJson(schedule: Schedule): Record<string, unknown> {
  const json = toJson(ScheduleSchema, schedule, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  const { spec } = schedule;
  const words = spec && {
    catchUp: policyWord(CatchUpSchema, spec.catchUp),
    overlap: policyWord(OverlapSchema, spec.overlap),
  };
  return { ...json, state: stateWord(schedule), spec: { ...(json["spec"] as object), ...words } };
}

/** A schedule as a row. */
export function scheduleRow(schedule: Schedule, nowMs: number): (Cell | string)[] {
  const { spec, nextTimes, lastTime, error } = schedule;
  const [next] = nextTimes;
  return [
    spec?.name ?? "",
    stateCell(schedule),
    spec?.workflow ?? "",
    spec?.cron ?? "",
    spec?.timeZone ?? "",
    next === undefined || schedule.state === ScheduleState.PAUSED ? "-" : distance(timestampMs(next) - nowMs),
    lastTime === undefined ? "-" : distance(timestampMs(lastTime) - nowMs),
    { text: error, ...(error !== "" && { color: "red" as const }) },
  ];
}

/** Everything about a schedule, for people. */
export function scheduleFacts(schedule: Schedule, nowMs: number): [string, Cell | string][] {
  const { spec, nextTimes, lastTime, lastRunId, error, errorAt } = schedule;
  if (spec === undefined) return [];
  const zone = spec.timeZone;
  const moment = (at: Timestamp | undefined) => at && momentText(timestampMs(at), zone, nowMs);
  const jitterMs = spec.jitter && Number(spec.jitter.seconds) * 1000 + spec.jitter.nanos / 1e6;
  const catchUp = policyWord(CatchUpSchema, spec.catchUp);
  const labels = Object.entries(spec.labels).map(([key, value]) => `${key}=${value}`);
  const isPaused = schedule.state === ScheduleState.PAUSED;
  const facts: [string, Cell | string | undefined][] = [
    ["Schedule", spec.name],
    ["State", stateCell(schedule)],
    ["Workflow", spec.workflowVersion > 0 ? `${spec.workflow} version ${spec.workflowVersion}` : spec.workflow],
    ["Cron", spec.cron],
    ["Zone", zone],
    ["Starts", moment(spec.startsAt)],
    ["Ends", moment(spec.endsAt)],
    ["Jitter", jitterMs === undefined ? undefined : `up to ${formatDuration(jitterMs)}`],
    ["Catch up", catchUp === "all" ? `all, the newest ${spec.catchUpLimit}` : catchUp],
    ["Overlap", policyWord(OverlapSchema, spec.overlap)],
    ["Labels", labels.join(" ") || undefined],
    ["Input", spec.input && JSON.stringify(spec.input)],
    ["Last", lastTime && `${moment(lastTime)}  ${lastRunId}`],
    ["Error", error === "" ? undefined : { text: error, color: "red" }],
    ["Failed", moment(errorAt)],
    ...nextTimes.map((at, index): [string, string | undefined] => [
      index > 0 ? "" : isPaused ? "If resumed" : "Next",
      moment(at),
    ]),
  ];
  return facts.filter((fact): fact is [string, Cell | string] => fact[1] !== undefined);
}

/** 2026-03-29T01:00:00Z  Sun 03:00 Europe/Berlin  in 17h 20m */
function momentText(atMs: number, zone: string, nowMs: number): string {
  const utc = new Date(atMs).toISOString().replace(".000Z", "Z");
  return [utc, ...(zone === "UTC" ? [] : [`${clockText(atMs, zone)} ${zone}`]), distance(atMs - nowMs)].join("  ");
}

function clockText(atMs: number, zone: string): string {
  const hasSeconds = atMs % 60_000 !== 0;
  const seconds = hasSeconds ? ({ second: "2-digit" } as const) : {};
  const options = { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...seconds } as const;
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }).format(atMs).replace(",", "");
  } catch {
    return "?"; // a zone that the server knows and this program does not
  }
}

function distance(ms: number): string {
  return ms >= 0 ? `in ${formatDuration(ms)}` : `${formatDuration(-ms)} ago`;
}

function stateWord({ state }: Schedule): string {
  return ScheduleStateSchema.value[state]?.localName.toLowerCase() ?? `unknown (${state})`;
}

function stateCell(schedule: Schedule): Cell {
  const text = stateWord(schedule);
  if (schedule.state === ScheduleState.ENDED) return { text, color: "dim" };
  return { text, color: schedule.state === ScheduleState.PAUSED ? "yellow" : "green" };
}

function policyWord(schema: GenEnum<number>, number: number): string {
  return schema.value[number]?.localName.toLowerCase() ?? `unknown (${number})`;
}
