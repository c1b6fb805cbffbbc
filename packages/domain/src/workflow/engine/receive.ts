import type { Signal, StepRow } from "./advance-question.ts";
import { hearTask } from "./conversation.ts";
import { endUnit } from "./end-unit.ts";
import { viewOutput } from "../output.ts";
import { stepOf } from "./scope.ts";
import { needsOutput, sentence, stop } from "./settle.ts";
import type { Sheet } from "./sheet.ts";

const maxMailbox = 1000;

/** Takes in one thing that happened; `due`: the time that the run asked to be woken at. */
export function receive(sheet: Sheet, signal: Signal | { kind: "due" }): void {
  switch (signal.kind) {
    case "start":
      return begin(sheet);
    case "cancel":
      return stop(sheet, "cancelled", signal.reason);
    case "ended":
      return endWork(sheet, signal);
    case "event":
      return hearEvent(sheet, signal);
    case "decision":
      return decide(sheet, signal);
    case "due":
      return wake(sheet);
  }
}

/** At the start the roots; after a resume every step without a row, since what they need may be decided already. */
function begin(sheet: Sheet): void {
  const { deadlineMs } = sheet.question.run;
  if (deadlineMs !== undefined) sheet.wakeAtMs = Math.min(sheet.wakeAtMs ?? Infinity, deadlineMs);
  if (!sheet.question.run.isStarted) {
    for (const root of sheet.index.roots) sheet.agenda.add(root);
    return;
  }
  for (const number of sheet.question.graph.steps.keys()) {
    if (sheet.row(number) === null) sheet.agenda.add(number);
  }
}

function endWork(sheet: Sheet, { taskId, childRunId, end, ...at }: Signal & { kind: "ended" }): void {
  // As this advance has it: an earlier signal may have changed the row.
  const row = sheet.row(at.row.number, at.row.item);
  // Of a loop, what is told of a round that is over says nothing.
  if (row?.state !== "running" || row.data?.round !== at.row.data?.round) return;
  const step = stepOf(sheet, row.number);
  if (step.work.kind === "llm" && taskId !== null) return hearTask(sheet, row, step, step.work, { taskId, end });
  if (taskId !== row.taskId || childRunId !== row.childRunId) return;
  if (end.state === "completed" && needsOutput(step) && row.item === -1) {
    const result = sheet.question.known.results.get(taskId ?? childRunId ?? "");
    if (result === undefined) {
      sheet.missing.results.add(taskId ?? childRunId ?? "");
      return;
    }
    sheet.counts.running -= 1;
    return endUnit(sheet, row, { output: viewOutput(step.work, result), isStored: false });
  }
  sheet.counts.running -= 1;
  if (end.state === "completed") return endUnit(sheet, row, { output: undefined, isStored: false });
  const error = end.error ?? { class: end.state, message: `Its work is ${end.state}.` };
  endUnit(sheet, row, { error, isCancelled: end.state === "cancelled" });
}

function hearEvent(sheet: Sheet, { name, data }: Signal & { kind: "event" }): void {
  const waiting = waitingRows(sheet);
  if (waiting === undefined) return;
  const listeners = waiting.filter((row) => row.data?.event === name);
  for (const row of listeners) endUnit(sheet, row, { output: data, isStored: true });
  if (listeners.length === 0) sheet.mailbox = [...sheet.mailbox, { name, data }].slice(-maxMailbox);
}

function decide(sheet: Sheet, { step, isApproved, approver, comment }: Signal & { kind: "decision" }): void {
  const number = sheet.index.numberOf.get(step);
  for (const row of waitingRows(sheet) ?? []) {
    if (row.number !== number) continue;
    const output = { approved: isApproved, approver, comment };
    const because = comment === "" ? "" : `: ${comment}`;
    const error = { class: "approval_rejected", message: sentence(`${approver} rejected it${because}`) };
    endUnit(sheet, row, isApproved ? { output, isStored: true } : { error });
  }
}

/** Ends what has waited long enough; the rest says when to look again. */
function wake(sheet: Sheet): void {
  if (sheet.stopping !== undefined) return;
  const waiting = waitingRows(sheet);
  if (waiting === undefined) return;
  const { run } = sheet.question;
  let nextMs = run.deadlineMs ?? Infinity;
  for (const row of waiting) {
    const untilMs = row.data?.untilMs ?? Infinity;
    if (untilMs <= run.nowMs) endWait(sheet, row);
    else nextMs = Math.min(nextMs, untilMs);
  }
  sheet.wakeAtMs = nextMs === Infinity ? undefined : nextMs;
}

function endWait(sheet: Sheet, row: StepRow): void {
  const { work, id } = stepOf(sheet, row.number);
  if (work.kind === "wait") return endUnit(sheet, row, { output: null, isStored: true });
  if (work.kind === "approval" && work.atTimeout === "approve") {
    const output = { approved: true, approver: "", comment: "Nobody decided in time." };
    return endUnit(sheet, row, { output, isStored: true });
  }
  const what = work.kind === "event" ? `event "${row.data?.event ?? ""}" did not come` : "nobody approved it";
  endUnit(sheet, row, { error: { class: "timeout", message: `Step "${id}": ${what} in time.` } });
}

/** Rows that still wait, as this advance has them. */
function waitingRows(sheet: Sheet): StepRow[] | undefined {
  const { waiting } = sheet.question.known;
  if (waiting === undefined) {
    sheet.missing.waiting = true;
    return undefined;
  }
  return waiting.flatMap((read) => {
    const row = sheet.row(read.number, read.item);
    return row?.state === "waiting" ? [row] : [];
  });
}
