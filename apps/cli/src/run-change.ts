import type { Run, RunStep } from "@drover/proto/drover/run";
import type { Output } from "./output.ts";
import { groupDigits } from "./progress.ts";
import { runStateCell, stepNote, stepStateCell } from "./run-view.ts";
import { stepStateWord } from "./word.ts";

/** Says a run in lines: once what it is, then each change of the run and of its steps. */
export function createChangeLines(output: Output): (run: Run) => void {
  let runFace = "";
  const faces = new Map<string, string>();
  const say = (name: string, cell: ReturnType<typeof stepStateCell>, remark: string) => {
    const time = new Date().toTimeString().slice(0, 8);
    const parts = [output.paint(time, "dim"), name, output.paint(cell.text, cell.color), remark];
    output.line(parts.filter(Boolean).join("  "));
  };
  return (run) => {
    const cell = runStateCell(run);
    const isOver = run.finishedAt !== undefined;
    // The end of the run comes after the ends of its steps.
    if (!isOver && runFace !== cell.text) say(run.id, cell, "");
    for (const step of run.steps) {
      const face = faceOf(step);
      const before = faces.get(step.id) ?? untouched;
      faces.set(step.id, face);
      if (before !== face)
        say(step.id, stepStateCell(step), [itemsText(step), stepNote(step)].filter(Boolean).join("  "));
    }
    if (isOver && runFace !== cell.text) say(run.id, cell, "");
    runFace = cell.text;
  };
}

const untouched = "pending 0 ";

/** What makes a line: the state, what it waits for, and every tenth of the items. */
function faceOf({ state, itemsEnded, itemsTotal, waitingFor }: RunStep): string {
  const tenths = itemsTotal > 0 ? Math.floor((itemsEnded / itemsTotal) * 10) : 0;
  // Items take turns in waiting, and estimates of time move: neither is news.
  const wait = itemsTotal > 0 ? "" : waitingFor.replace(/; until .*$/, "");
  return `${stepStateWord(state)} ${tenths} ${wait}`;
}

function itemsText({ itemsEnded, itemsTotal }: RunStep): string {
  return itemsTotal > 0 ? `${groupDigits(itemsEnded)} of ${groupDigits(itemsTotal)} items` : "";
}
