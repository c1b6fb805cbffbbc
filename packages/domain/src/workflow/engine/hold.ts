import type { StepRow } from "./advance-question.ts";
import { beginWork, hasRoom, takesRoom } from "./begin-work.ts";
import { stepOf } from "./scope.ts";
import { rowKey, type Sheet } from "./sheet.ts";

/** Begins what was held back, in the order of the graph, as far as there is room now. */
export function fillRoom(sheet: Sheet): void {
  const { known, run } = sheet.question;
  if (run.counts.held === 0 || sheet.stopping !== undefined || !hasRoom(sheet)) return;
  if (known.held === undefined) {
    sheet.missing.held = true;
    return;
  }
  const begun = new Set<number>();
  const left = new Set<number>();
  for (const { number, item } of known.held) {
    const row = sheet.row(number, item);
    // What begins may fail at once and stop the run.
    if (row?.state !== "pending" || sheet.stopping !== undefined || sheet.taken.has(rowKey(number, item))) continue;
    if (!mayBegin(sheet, row)) {
      left.add(number);
      continue;
    }
    sheet.taken.add(rowKey(number, item));
    sheet.counts.held -= 1;
    begun.add(number);
    beginWork(sheet, row);
  }
  // A bounded number was read: where all of them began, the next are looked at in an advance of their own.
  const isDrained = begun.size > 0 && left.size === 0 && sheet.counts.held > 0;
  const hasFollower = [...begun].some((number) => !left.has(number) && hasMore(sheet, number));
  if ((isDrained || hasFollower) && hasRoom(sheet)) sheet.wakeAtMs = run.nowMs;
}

function mayBegin(sheet: Sheet, row: StepRow): boolean {
  if (takesRoom(stepOf(sheet, row.number).work) && !hasRoom(sheet)) return false;
  return row.item < 0 || hasTurn(sheet, row.number);
}

/** Whether the map of an item may run another one. */
function hasTurn(sheet: Sheet, number: number): boolean {
  const header = sheet.row(number);
  const concurrency = stepOf(sheet, number).each?.concurrency ?? Infinity;
  return header !== undefined && header !== null && (header.data?.running ?? 0) < concurrency;
}

/** Whether items of a map are held back though they could begin. */
function hasMore(sheet: Sheet, number: number): boolean {
  const { total = 0, running = 0, ended = 0 } = sheet.row(number)?.data ?? {};
  return running + ended < total && hasTurn(sheet, number);
}
