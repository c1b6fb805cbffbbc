import type { StepRow } from "./advance-question.ts";
import type { Sheet } from "./sheet.ts";

/** Keeps a row until there is room for it. */
export function holdRow(sheet: Sheet, row: StepRow): void {
  sheet.write(row, { state: "pending", ...(row.data !== null && { data: row.data }) });
  sheet.counts.held += 1;
}
