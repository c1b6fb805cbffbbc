import type { Json } from "../../json.ts";
import type { StepError, StepRow } from "./advance-question.ts";
import { beginWork } from "./begin-work.ts";
import { holdRow } from "./hold-row.ts";
import { holds, stepOf, valueOf } from "./scope.ts";
import { completeStep, expressionFault, failStep, skipStep } from "./settle.ts";
import { newRow, type Sheet } from "./sheet.ts";
import { isLargerThan } from "../size.ts";

const maxItems = 100_000;
const maxItemBytes = 16 * 1024 * 1024;

/** Begins a step whose needs are met: its condition, then its work, once or for every item. */
export function beginStep(sheet: Sheet, row: StepRow): void {
  const step = stepOf(sheet, row.number);
  if (step.when !== undefined) {
    const answer = holds(sheet, step, {}, step.when);
    if (answer === undefined) return;
    if ("fault" in answer) return failStep(sheet, row, expressionFault(`condition \`${step.when}\`: ${answer.fault}`));
    if (!answer.value) return skipStep(sheet, row, { class: "not_taken", message: "Its condition is false." });
  }
  if (step.each !== undefined) return beginEach(sheet, row, step.each);
  beginWork(sheet, step.repeat === undefined ? row : { ...row, data: { round: 0 } });
}

/** A map: its own row counts, and every item gets a row; what may not run yet is held back. */
function beginEach(sheet: Sheet, row: StepRow, each: { items: unknown; concurrency?: number }): void {
  const step = stepOf(sheet, row.number);
  const items = valueOf(sheet, step, {}, step.each?.items ?? []);
  if (items === undefined) return;
  const fault = "fault" in items ? expressionFault(items.fault) : faultOf(items.value);
  if (fault !== undefined || "fault" in items || !Array.isArray(items.value)) {
    return failStep(sheet, row, fault ?? expressionFault("expected a list"));
  }
  const values = items.value;
  if (values.length === 0) return completeStep(sheet, { ...row, data: { total: 0 } }, [], true);
  const concurrency = each.concurrency ?? Infinity;
  sheet.write(row, { state: "running", data: { total: values.length, running: 0, ended: 0, failed: 0 } });
  for (const [item, value] of values.entries()) {
    const itemRow = { ...newRow(row.number, item, "pending"), data: { value } };
    const header = sheet.row(row.number);
    if ((header?.data?.running ?? 0) < concurrency) beginWork(sheet, itemRow);
    else holdRow(sheet, itemRow);
  }
}

function faultOf(value: Json): StepError | undefined {
  if (!Array.isArray(value)) {
    return expressionFault(`expected a list of items to run for each, got ${JSON.stringify(value)?.slice(0, 100)}`);
  }
  if (isLargerThan(value, maxItemBytes)) {
    return { class: "too_many_items", message: `Expected items of at most ${maxItemBytes} bytes in all, got more.` };
  }
  if (value.length > maxItems) {
    return { class: "too_many_items", message: `Expected at most ${maxItems} items, got ${value.length}.` };
  }
  return undefined;
}
