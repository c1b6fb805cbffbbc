import type { Json } from "../../json.ts";
import { parseMoment } from "../../moment.ts";
import type { RowData, StepRow } from "./advance-question.ts";
import { contextOf } from "./context.ts";
import type { Step, Work } from "../definition.ts";
import type { UnitOutcome } from "./end-unit.ts";
import { type Answer, stepOf, valueOf } from "./scope.ts";
import { expressionFault } from "./settle.ts";
import type { Sheet } from "./sheet.ts";

export type WaitingWork = Work & { kind: "wait" | "event" | "approval" };

const maxWaitSeconds = 10 * 366 * 24 * 3600;

/** What a row is to wait for, or how it ends at once; undefined where something must be read first. */
export function planWaiting(
  sheet: Sheet,
  row: StepRow,
  work: WaitingWork,
): { data: RowData } | UnitOutcome | undefined {
  const { nowMs } = sheet.question.run;
  const { timeoutSeconds } = stepOf(sheet, row.number);
  const answer = whatFor(sheet, row, work);
  if (answer === undefined) return undefined;
  if ("fault" in answer) return { error: expressionFault(answer.fault) };
  if (work.kind === "event") {
    const place = sheet.mailbox.findIndex((event) => event.name === answer.value.event);
    if (place >= 0) {
      const output = sheet.mailbox[place]?.data ?? null;
      sheet.mailbox = sheet.mailbox.toSpliced(place, 1);
      return { output, isStored: true };
    }
  }
  const ownMs = timeoutSeconds === undefined ? undefined : nowMs + timeoutSeconds * 1000;
  const untilMs = answer.value.untilMs ?? ownMs;
  if (work.kind === "wait" && untilMs !== undefined && untilMs <= nowMs) return { output: null, isStored: true };
  return { data: { ...row.data, ...answer.value, ...(untilMs !== undefined && { untilMs }) } };
}

function whatFor(sheet: Sheet, row: StepRow, work: WaitingWork): Answer<RowData> {
  const step: Step = stepOf(sheet, row.number);
  const value = (template: Json | undefined) => valueOf(sheet, step, contextOf(row), template ?? null);
  switch (work.kind) {
    case "event": {
      const name = value(work.name);
      if (name === undefined || "fault" in name) return name;
      if (typeof name.value === "string" && name.value !== "") return { value: { event: name.value } };
      return { fault: `expected the name of an event, got ${show(name.value)}` };
    }
    case "approval": {
      const message = value(work.message);
      if (message === undefined || "fault" in message) return message;
      const text = typeof message.value === "string" ? message.value : show(message.value);
      return { value: { approvers: work.approvers, message: message.value === null ? "" : text } };
    }
    case "wait": {
      const time = value(work.seconds ?? work.until);
      if (time === undefined || "fault" in time) return time;
      return work.seconds === undefined ? dateOf(sheet, time.value) : fromNow(sheet, time.value);
    }
  }
}

function fromNow(sheet: Sheet, value: Json): Answer<RowData> {
  const isNumber = typeof value === "number" || (typeof value === "string" && value.trim() !== "");
  return within(sheet, isNumber ? sheet.question.run.nowMs + Number(value) * 1000 : NaN, "seconds", value);
}

function dateOf(sheet: Sheet, value: Json): Answer<RowData> {
  return within(sheet, typeof value === "string" ? parseMoment(value) : NaN, "a date and time with its zone", value);
}

function within(sheet: Sheet, untilMs: number, what: string, value: Json): Answer<RowData> {
  if (!Number.isFinite(untilMs)) return { fault: `expected ${what} to wait, got ${show(value)}` };
  if (untilMs <= sheet.question.run.nowMs + maxWaitSeconds * 1000) return { value: { untilMs: Math.round(untilMs) } };
  return { fault: `expected to wait for at most ten years, got ${show(value)}` };
}

function show(value: Json): string {
  return JSON.stringify(value).slice(0, 100);
}
