import { layoutGraph } from "./graph-layout.ts";
import { conditionText, type GraphStep } from "./graph-view.ts";
import type { Cell, Column } from "./table.ts";

export const graphColumns: Column[] = [
  { heading: "STEP" },
  { heading: "WORK", isFlexible: true },
  { heading: "NOTE", isFlexible: true },
];

/** A graph as rows: a tree of steps, what each does, and when. */
export function graphRows(steps: readonly GraphStep[], indent = ""): (Cell | string)[][] {
  const lines = layoutGraph(steps.map(({ id, needs }) => ({ id, needs: needs.map(({ from }) => from) })));
  return lines.flatMap(({ index, prefix, below, joins }) => {
    const step = steps[index];
    if (step === undefined) return [];
    const own = [
      indent + prefix + step.id,
      step.work,
      [...(joins.length > 0 ? [afterText(step)] : wayText(step)), ...step.notes].join(", "),
    ];
    return [own, ...graphRows(step.body, `${indent}${below}  : `)];
  });
}

function wayText({ needs: [need] }: GraphStep): string[] {
  return need === undefined || need.condition === "" ? [] : [conditionText(need.condition)];
}

function afterText({ needs }: GraphStep): string {
  return `after ${needs.map(({ from, condition }) => (condition === "" ? from : `${from} (${conditionText(condition)})`)).join(", ")}`;
}
