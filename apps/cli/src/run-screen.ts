import type { Run } from "@drover/proto/drover/run";
import { took } from "./fact.ts";
import type { LayoutLine } from "./graph-layout.ts";
import type { Output } from "./output.ts";
import { groupDigits } from "./progress.ts";
import { endedOf, layoutRun, runStateCell, runStepColumns, runStepRow } from "./run-view.ts";
import { cutText } from "./text-width.ts";
import { stepStateWord } from "./word.ts";

/** The graph of a run, drawn again in its place while it changes. */
export interface RunScreen {
  show(run: Run): void;
  /** Ends the drawing, and leaves its last state. */
  end(): void;
}

export interface RunScreenOptions {
  output: Output;
  /** What else there is to say about a step that runs. */
  remarkOf: (stepId: string) => string;
  /** How often durations tick. */
  intervalMs?: number;
}

const mostLeft = 200;

/** Makes the drawing; between changes it is drawn again so that durations tick. */
export function createRunScreen({ output, remarkOf, intervalMs = 250 }: RunScreenOptions): RunScreen {
  const live = output.live();
  let last: Run | undefined;
  let lines: LayoutLine[] = [];
  const draw = () => {
    if (last !== undefined) live.draw(renderRun(last, lines, { output, remarkOf, most: live.height - 3 }));
  };
  const timer = setInterval(draw, intervalMs);
  return {
    show(run) {
      if (last?.steps.length !== run.steps.length) lines = layoutRun(run);
      last = run;
      draw();
    },
    end() {
      clearInterval(timer);
      live.clear();
      if (last === undefined) return;
      const text = renderRun(last, lines, { output, remarkOf: () => "", most: mostLeft });
      for (const line of text) output.line(line);
    },
  };
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
  const shown = chooseLines(run, lines, most);
  const rows = shown.flatMap(({ index, prefix }) => {
    const step = run.steps[index];
    return step === undefined ? [] : [runStepRow(step, prefix, nowMs, remarkOf(step.id))];
  });
  const hidden = lines.length - shown.length;
  return [
    headline(run, output, nowMs),
    "",
    ...output.tableLines(runStepColumns, rows),
    ...(hidden > 0 ? [output.paint(hiddenText(run, lines, shown), "dim")] : []),
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

/** What is under way or went wrong, then what comes next, then what is done; in the order of the drawing. */
function chooseLines(run: Run, lines: readonly LayoutLine[], most: number): readonly LayoutLine[] {
  if (lines.length <= most) return lines;
  const rankOf = ({ index }: LayoutLine) => ranks[stepStateWord(run.steps[index]?.state ?? 0)] ?? 9;
  const chosen = lines
    .map((line, place) => ({ line, place, rank: rankOf(line) }))
    .toSorted((a, b) => a.rank - b.rank || a.place - b.place)
    .slice(0, Math.max(1, most - 1));
  return chosen.toSorted((a, b) => a.place - b.place).map(({ line }) => line);
}

const ranks: Record<string, number> = {
  running: 0,
  waiting: 0,
  failed: 0,
  cancelled: 1,
  pending: 2,
  completed: 3,
  skipped: 4,
};

function hiddenText(run: Run, lines: readonly LayoutLine[], shown: readonly LayoutLine[]): string {
  const seen = new Set(shown.map(({ index }) => index));
  const counts = new Map<string, number>();
  for (const { index } of lines) {
    if (seen.has(index)) continue;
    const word = stepStateWord(run.steps[index]?.state ?? 0);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const parts = [...counts].map(([word, count]) => `${groupDigits(count)} ${word}`);
  return `... and ${groupDigits(lines.length - shown.length)} steps more: ${parts.join(", ")}`;
}
