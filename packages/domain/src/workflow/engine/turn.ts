import type { Json } from "../../json.ts";
import type { StepError, StepRow, Talk } from "./advance-question.ts";
import type { LlmWork, Step } from "../definition.ts";
import { endUnit } from "./end-unit.ts";
import { callFor } from "./llm-task.ts";
import { rowKey, type Sheet } from "./sheet.ts";

/** Where a conversation stands: its row, and what was said so far. */
export interface Turn {
  sheet: Sheet;
  row: StepRow;
  step: Step;
  work: LlmWork;
  talk: Talk;
}

/** The next call to the model, unless the run stops. */
export function nextCall({ sheet, row, step, work, talk }: Turn): void {
  const refused = refusalOf(sheet, row);
  if (refused !== undefined) return endTalk(sheet, row, refused);
  const task = callFor(sheet, row, step, work, talk);
  if ("message" in task) return endTalk(sheet, row, { error: task });
  sheet.tasks.push(task);
  sheet.write(row, { taskId: task.id, data: { ...row.data, talk } });
}

/** The conversation is over; nothing of it is in flight any more. */
export function endTalk(
  sheet: Sheet,
  row: StepRow,
  outcome: { output: Json; isStored: boolean } | { error: StepError; isCancelled?: boolean },
): void {
  sheet.counts.running -= 1;
  endUnit(sheet, row, outcome);
}

/** Why a conversation may not start another task: its run stops, or the task cannot be started. */
export function refusalOf(sheet: Sheet, row: StepRow): { error: StepError; isCancelled?: boolean } | undefined {
  if (sheet.stopping !== undefined) {
    return { error: { class: "cancelled", message: "Its run ended between two calls." }, isCancelled: true };
  }
  const error = sheet.question.known.refused.get(rowKey(row.number, row.item));
  return error && { error };
}
