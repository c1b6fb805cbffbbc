import type { StepRow } from "./advance-question.ts";
import { beginWork, hasRoom, takesRoom } from "./begin-work.ts";
import { stepOf } from "./scope.ts";
import type { Sheet } from "./sheet.ts";

/** Begins what was held back, in the order of the graph, as far as there is room now. */
export function fillRoom(sheet: Sheet): void {
  const { known } = sheet.question;
  if (sheet.question.run.counts.held === 0 || sheet.stopping !== undefined) return;
  if (!hasRoom(sheet)) return;
  if (known.held === undefined) {
    sheet.missing.held = true;
    return;
  }
  for (const held of known.held) {
    const row = sheet.row(held.number, held.item);
    if (row?.state !== "pending") continue;
    if (takesRoom(stepOf(sheet, row.number).work) && !hasRoom(sheet)) continue;
    if (row.item >= 0 && !hasTurn(sheet, row)) continue;
    sheet.counts.held -= 1;
    beginWork(sheet, row);
  }
}

/** Whether the map of an item may run another one. */
function hasTurn(sheet: Sheet, row: StepRow): boolean {
  const header = sheet.row(row.number);
  const concurrency = stepOf(sheet, row.number).each?.concurrency ?? Infinity;
  return header !== undefined && header !== null && (header.data?.running ?? 0) < concurrency;
}
