import type { Json } from "../../json.ts";
import type { StepError, StepRow } from "./advance-question.ts";
import { contextOf } from "./context.ts";
import { holds, stepOf, storedOutput } from "./scope.ts";
import {
  cancelStep,
  completeStep,
  expressionFault,
  failStep,
  leaveStep,
  needsOutput,
  sentence,
  writeOutput,
} from "./settle.ts";
import { newRow, type Sheet } from "./sheet.ts";
import { isLargerThan, maxValueBytes } from "../size.ts";

/** How a unit ended: an output (undefined: its task's, which nobody had to read) or an error. */
export type UnitOutcome = { output: Json | undefined; isStored: boolean } | { error: StepError; isCancelled?: boolean };

/** What follows from the end of a row's work: for the step, its map or its loop. */
export function endUnit(sheet: Sheet, row: StepRow, given: UnitOutcome): void {
  const outcome = withinBounds(given);
  if (row.item >= 0) return endItem(sheet, row, outcome);
  if ("error" in outcome) return endInError(sheet, row, outcome);
  const { repeat } = stepOf(sheet, row.number);
  if (repeat !== undefined) return endRound(sheet, row, outcome, repeat);
  completeStep(sheet, row, outcome.output, outcome.isStored);
}

/** Without a bound a loop that doubles its output would soon fill any memory. */
function withinBounds(outcome: UnitOutcome): UnitOutcome {
  if ("error" in outcome || outcome.output === undefined || !isLargerThan(outcome.output, maxValueBytes))
    return outcome;
  const message = `Expected an output of at most ${maxValueBytes} bytes of JSON and 500 levels, got more; hand over a path or an address instead.`;
  return { error: { class: "output_too_large", message } };
}

function endInError(
  sheet: Sheet,
  row: StepRow,
  { error, isCancelled }: { error: StepError; isCancelled?: boolean },
): void {
  if (isCancelled === true && sheet.stopping !== undefined) cancelStep(sheet, row, error);
  else failStep(sheet, row, error);
}

/** A round of a loop ended: its row stays as history, and the step goes on, completes, or fails at its bound. */
function endRound(
  sheet: Sheet,
  row: StepRow,
  outcome: { output: Json | undefined; isStored: boolean },
  { until, maxIterations, atBound }: { until: string; maxIterations: number; atBound: "complete" | "fail" },
): void {
  const step = stepOf(sheet, row.number);
  const round = row.data?.round ?? 0;
  const output = outcome.output ?? null;
  const before = sheet.fields;
  // Each round writes its fields: the condition, and the next round, read them.
  if (!writeOutput(sheet, row, output)) return;
  const answer = holds(sheet, step, { ...contextOf(row), output }, until);
  if (answer === undefined) return;
  if ("fault" in answer) return failStep(sheet, row, expressionFault(`condition \`${until}\`: ${answer.fault}`));
  sheet.write(newRow(row.number, round, "running"), {
    state: "completed",
    ...(row.taskId !== null && { taskId: row.taskId }),
    ...(row.childRunId !== null && { childRunId: row.childRunId }),
    ...(outcome.isStored && { output }),
  });
  const isAtBound = round + 1 >= maxIterations;
  if (answer.value || (isAtBound && atBound === "complete")) {
    return leaveStep(sheet, row, output, outcome.isStored, before);
  }
  sheet.outputs.delete(row.number);
  if (isAtBound) {
    const message = `Step "${step.id}" reached its bound of ${maxIterations} rounds and \`${until}\` is still not true.`;
    return failStep(sheet, row, { class: "loop_bound_reached", message });
  }
  sheet.rounds.push(sheet.write(row, { data: { round: round + 1, previous: output } }));
}

/** An item of a map ended: the last one ends the step. */
function endItem(sheet: Sheet, row: StepRow, outcome: UnitOutcome): void {
  const header = sheet.row(row.number);
  if (!header) return;
  const isFailed = "error" in outcome;
  if (!isFailed && outcome.output !== undefined) noteOutput(sheet, row, outcome.output);
  sheet.write(row, {
    state: !isFailed ? "completed" : outcome.isCancelled === true ? "cancelled" : "failed",
    ...(isFailed && { error: outcome.error }),
    ...(!isFailed && outcome.isStored && outcome.output !== undefined && { output: outcome.output }),
    ...(row.data !== null && { data: row.data }),
  });
  const { total = 0, running = 0, ended = 0, failed = 0 } = header.data ?? {};
  const data = { total, running: running - 1, ended: ended + 1, failed: failed + Number(isFailed) };
  const counted = sheet.write(header, { data });
  if (data.ended < total) return;
  if (data.failed > 0) {
    const detail = isFailed ? `, the last one with: ${outcome.error.message}` : "";
    return endInError(sheet, counted, {
      error: { class: "items_failed", message: sentence(`${data.failed} of ${total} items failed${detail}`) },
      // What the stop of the run did to its items is no failure of its own.
      isCancelled: sheet.stopping !== undefined,
    });
  }
  if (!needsOutput(stepOf(sheet, row.number))) return completeStep(sheet, counted, undefined, false);
  const list = storedOutput(sheet, row.number, total);
  if (list !== undefined) completeStep(sheet, counted, list, false);
}

function noteOutput(sheet: Sheet, { number, item }: StepRow, output: Json): void {
  const items = sheet.itemOutputs.get(number) ?? new Map<number, Json>();
  sheet.itemOutputs.set(number, items.set(item, output));
}
