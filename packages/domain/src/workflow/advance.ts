import type { AdvanceAnswer } from "./advance-answer.ts";
import type { AdvanceQuestion, Missing } from "./advance-question.ts";
import { beginStep } from "./begin.ts";
import { beginWork } from "./begin-work.ts";
import { decideJoin, edgeState } from "./join.ts";
import { fillRoom } from "./hold.ts";
import { receive } from "./receive.ts";
import { stepOf, valueOf } from "./scope.ts";
import { skipStep, stop } from "./settle.ts";
import { createSheet, isMissing, newRow, type Sheet } from "./sheet.ts";
import { decideEnd } from "./verdict.ts";

/**
 * Decides everything that follows from what was signalled to a run: which steps end, begin, are skipped or wait, and
 * whether the run is over. Pure: where something must be read first it says what, and is asked again with that known.
 */
export function advance(question: AdvanceQuestion): { answer: AdvanceAnswer } | { missing: Missing } {
  const sheet = createSheet(question);
  const { run } = question;
  if (run.deadlineMs !== undefined && run.nowMs >= run.deadlineMs) stop(sheet, "deadline", "");
  for (const signal of question.signals) receive(sheet, signal);
  if (run.isDue) receive(sheet, { kind: "due" });
  do {
    // What is looked at may add to the list.
    for (const number of sheet.agenda) consider(sheet, number);
    sheet.agenda.length = 0;
    for (const row of sheet.rounds.splice(0)) beginWork(sheet, row);
    fillRoom(sheet);
  } while (sheet.agenda.length + sheet.rounds.length > 0 && !isMissing(sheet.missing));
  end(sheet);
  return isMissing(sheet.missing) ? { missing: sheet.missing } : { answer: answerOf(sheet) };
}

/** Looks at a step whose needs changed. */
function consider(sheet: Sheet, number: number): void {
  if (sheet.isReached(number)) return;
  const step = stepOf(sheet, number);
  const needs = step.needs ?? [];
  const edges = needs.map((edge) => {
    const source = sheet.index.numberOf.get(edge.from) ?? -1;
    const row = sheet.row(source);
    return row === undefined ? "unknown" : edgeState(edge, stepOf(sheet, source), row);
  });
  const known = edges.filter((edge) => edge !== "unknown");
  if (known.length < edges.length || sheet.stopping !== undefined) return;
  const row = newRow(number, -1, "pending");
  switch (decideJoin(known)) {
    case "wait":
      return;
    case "run":
      return beginStep(sheet, row);
    case "skip_not_taken":
      return skipStep(sheet, row, { class: "not_taken", message: "No branch that leads to it was taken." });
    case "skip_broken": {
      const broken = needs.filter((_, place) => edges[place] === "broken").map((edge) => `"${edge.from}"`);
      const message = `Step ${[...new Set(broken)].join(", ")}, which it needs, did not complete.`;
      return skipStep(sheet, row, { class: "dependency_failed", message });
    }
  }
}

function end(sheet: Sheet): void {
  const { counts, stopping } = sheet;
  const decided = counts.completed + counts.failed + counts.skipped + counts.cancelled;
  const isOver = stopping === undefined ? decided === counts.total : counts.running === 0;
  if (!isOver) return;
  const verdict = decideEnd(counts, stopping, sheet.question.definition.failure, sheet.reason);
  if (stopping === "cancelled" || stopping === "deadline") {
    sheet.end = { ...verdict, output: null };
    return;
  }
  const output = outputOf(sheet);
  if (output === undefined) return;
  sheet.end =
    "fault" in output
      ? {
          state: "failed",
          output: null,
          error: { class: "output_failed", message: `The output of the workflow cannot be made: ${output.fault}.` },
        }
      : { ...verdict, output: output.value };
}

const maxOutputBytes = 1024 * 1024;
const maxImplicitOutputs = 100;

/** The output of a run; where none is declared, those of the steps that nothing needs, unless that would be a heap. */
function outputOf(sheet: Sheet) {
  const { graph } = sheet.question;
  const isDeclared = graph.output !== undefined;
  const sinks = sheet.index.sinks.map((number) => stepOf(sheet, number).id);
  if (!isDeclared && sinks.length > maxImplicitOutputs) return { value: null };
  const template =
    graph.output ?? Object.fromEntries(sinks.map((id) => [id, `\${steps[${JSON.stringify(id)}].output}`]));
  const answer = valueOf(sheet, undefined, {}, template);
  if (answer === undefined) return undefined;
  if ("fault" in answer) return isDeclared ? answer : { value: null };
  const bytes = JSON.stringify(answer.value).length;
  if (bytes <= maxOutputBytes) return answer;
  return isDeclared ? { fault: `it is larger than ${maxOutputBytes} bytes` } : { value: null };
}

function answerOf(sheet: Sheet): AdvanceAnswer {
  const { run } = sheet.question;
  return {
    steps: sheet.writes(),
    tasks: sheet.tasks,
    children: sheet.children,
    counts: sheet.counts,
    fields: sheet.fields === run.fields ? undefined : sheet.fields,
    mailbox: sheet.mailbox === run.mailbox ? undefined : sheet.mailbox,
    wakeAtMs: sheet.wakeAtMs ?? null,
    stopping: sheet.stopping,
    cancelReason: sheet.reason,
    stopsUnits: sheet.stopsUnits,
    cancels: sheet.cancels,
    memory: sheet.memory,
    end: sheet.end,
  };
}
