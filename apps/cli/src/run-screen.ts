import type { Run } from "@drover/proto/drover/run";
import { took } from "./fact.ts";
import type { LayoutLine } from "./graph-layout.ts";
import type { Output } from "./output.ts";
import { groupDigits } from "./progress.ts";
import { endedOf, layoutRun, runStateCell, runStepColumns, runStepRow } from "./run-view.ts";
import { chooseShown, createScreen, type Screen } from "./screen.ts";
import { cutText } from "./text-width.ts";
import { stepStateWord } from "./word.ts";

export interface RunScreenOptions {
  output: Output;
  /** What else there is to say about a step that runs. */
  remarkOf: (stepId: string) => string;
  /** How often durations tick. */
  intervalMs?: number;
}

/** Makes the drawing. */
export function createRunScreen({ output, remarkOf, intervalMs = 250 }: RunScreenOptions): Screen<Run> {
  let steps = -1;
  let lines: LayoutLine[] = [];
  return createScreen<Run>({
    output,
    intervalMs,
    render(run, { most, isLast }) {
      if (steps !== run.steps.length) lines = layoutRun(run);
      steps = run.steps.length;
      return renderRun(run, lines, { output, remarkOf: isLast ? () => "" : remarkOf, most });
    },
  });
}

export interface RenderRunOptions {
  output: Output;
  remarkOf: (stepId: string) => string;
  /** How many steps are shown at most. */
  most: number;
  nowMs?: number;
}

/** A run as lines: what it is, then its steps as a tree; where they are too many, those that something happens to. */
export function renderRun(
  run: Run,
  lines: readonly LayoutLine[],
  { output, remarkOf, most, nowMs = Date.now() }: RenderRunOptions,
): string[] {
  const { shown, hidden } = chooseShown(lines, {
    most,
    ranks,
    noun: "steps",
    wordOf: ({ index }) => stepStateWord(run.steps[index]?.state ?? 0),
  });
  const rows = shown.flatMap(({ index, prefix }) => {
    const step = run.steps[index];
    return step === undefined ? [] : [runStepRow(step, prefix, nowMs, remarkOf(step.id))];
  });
  return [
    headline(run, output, nowMs),
    "",
    ...output.tableLines(runStepColumns, rows),
    ...(hidden === undefined ? [] : [output.paint(hidden, "dim")]),
  ];
}

function headline(run: Run, output: Output, nowMs: number): string {
  const { statistics, startedAt, finishedAt } = run;
  const state = runStateCell(run);
  const title = cutText(`${run.workflow} ${run.version}`, Math.max(20, output.width - 60));
  return [
    output.paint(title, "bold"),
    run.id,
    output.paint(state.text, state.color),
    statistics && `${groupDigits(endedOf(statistics))} of ${groupDigits(statistics.total)} steps`,
    took(startedAt, finishedAt, nowMs),
  ]
    .filter(Boolean)
    .join("  ");
}

/** What is under way or went wrong, then what comes next, then what is done. */
const ranks: Record<string, number> = {
  running: 0,
  waiting: 0,
  failed: 0,
  cancelled: 1,
  pending: 2,
  completed: 3,
  skipped: 4,
};
