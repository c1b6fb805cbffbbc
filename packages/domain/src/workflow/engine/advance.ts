import type { AdvanceAnswer } from "./advance-answer.ts";
import type { AdvanceQuestion, Missing, StepRow } from "./advance-question.ts";
import { beginStep } from "./begin.ts";
import { beginWork } from "./begin-work.ts";
import { endRun } from "./end-run.ts";
import { fillRoom } from "./hold.ts";
import { holdRow } from "./hold-row.ts";
import { decideJoin } from "./join.ts";
import { decidedEdges } from "./needs.ts";
import { receive } from "./receive.ts";
import { stepOf } from "./scope.ts";
import { cancelStep, skipStep, stop } from "./settle.ts";
import { createSheet, isMissing, newRow, type Sheet } from "./sheet.ts";

/** Rounds of loops that need no task, until others have their turn. */
const maxRounds = 1000;

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
  let rounds = 0;
  do {
    // What is looked at may add to the list.
    for (const number of sheet.agenda) {
      sheet.agenda.delete(number);
      consider(sheet, number);
    }
    for (const row of sheet.rounds.splice(0)) {
      rounds += 1;
      goRound(sheet, row, rounds <= maxRounds);
    }
    fillRoom(sheet);
  } while (sheet.agenda.size + sheet.rounds.length > 0 && !isMissing(sheet.missing));
  endRun(sheet);
  return isMissing(sheet.missing) ? { missing: sheet.missing } : { answer: answerOf(sheet) };
}

/** Looks at a step whose needs changed. */
function consider(sheet: Sheet, number: number): void {
  if (sheet.stopping !== undefined || sheet.isReached(number)) return;
  const edges = decidedEdges(sheet, number);
  if (edges === undefined) return;
  const row = newRow(number, -1, "pending");
  switch (decideJoin(edges)) {
    case "run":
      return beginStep(sheet, row);
    case "skip_not_taken":
      return skipStep(sheet, row, { class: "not_taken", message: "No branch that leads to it was taken." });
    case "skip_broken": {
      const needs = stepOf(sheet, number).needs ?? [];
      const broken = needs.filter((_, place) => edges[place] === "broken").map((edge) => `"${edge.from}"`);
      const names = [...new Set(broken)];
      const rest = names.length > maxNamed ? ` and ${names.length - maxNamed} others` : "";
      const message = `Step ${names.slice(0, maxNamed).join(", ")}${rest}, which it needs, did not complete.`;
      return skipStep(sheet, row, { class: "dependency_failed", message });
    }
  }
}

const maxNamed = 5;

/** Begins the next round of a loop, unless the run stops; one that had very many already goes on in the next advance. */
function goRound(sheet: Sheet, row: StepRow, hasTurn: boolean): void {
  if (sheet.stopping !== undefined) {
    return cancelStep(sheet, row, { class: "cancelled", message: "Its run ended between two rounds." });
  }
  if (hasTurn) return beginWork(sheet, row);
  holdRow(sheet, row);
  sheet.wakeAtMs = sheet.question.run.nowMs;
}

function answerOf(sheet: Sheet): AdvanceAnswer {
  const { run } = sheet.question;
  const isWoken = sheet.stopping === undefined && sheet.end === undefined;
  return {
    steps: sheet.writes(),
    tasks: sheet.tasks,
    children: sheet.children,
    counts: sheet.counts,
    fields: sheet.fields === run.fields ? undefined : sheet.fields,
    mailbox: sheet.mailbox === run.mailbox ? undefined : sheet.mailbox,
    wakeAtMs: isWoken ? (sheet.wakeAtMs ?? null) : null,
    stopping: sheet.stopping,
    cancelReason: sheet.reason,
    stopsUnits: sheet.stopsUnits,
    cancels: sheet.cancels,
    memory: sheet.memory,
    end: sheet.end,
  };
}
