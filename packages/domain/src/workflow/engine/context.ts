import type { StepRow } from "./advance-question.ts";
import type { UnitContext } from "./scope.ts";

/** What a row's work sees: its item, or its round. */
export function contextOf(row: StepRow): UnitContext {
  const { value, round, previous } = row.data ?? {};
  return {
    ...(row.item >= 0 && { item: value ?? null, index: row.item }),
    ...(round !== undefined && { iteration: round, previous: previous ?? null }),
  };
}
