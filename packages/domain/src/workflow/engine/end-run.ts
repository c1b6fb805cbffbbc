import { stepOf, valueOf } from "./scope.ts";
import type { Sheet } from "./sheet.ts";
import { isLargerThan, maxValueBytes } from "../size.ts";
import { decideEnd } from "./verdict.ts";

const maxImplicitOutputs = 100;

/** Ends the run where nothing is left to do, or where it stops and nothing is in flight any more. */
export function endRun(sheet: Sheet): void {
  const { counts, stopping } = sheet;
  const decided = counts.completed + counts.failed + counts.skipped + counts.cancelled;
  const isOver = stopping === undefined ? decided === counts.total : counts.running === 0;
  if (!isOver) return;
  // What a run that stops had held back is cancelled with its rows.
  counts.held = 0;
  const verdict = decideEnd(counts, stopping, sheet.question.definition.failure, sheet.reason);
  if (stopping === "cancelled" || stopping === "deadline") {
    sheet.end = { ...verdict, output: null };
    return;
  }
  const output = outputOf(sheet);
  if (output === undefined) return;
  if ("value" in output) sheet.end = { ...verdict, output: output.value };
  // Where steps failed, that is the news: what they did not give cannot be put into the output.
  else if (verdict.state !== "completed") sheet.end = { ...verdict, output: null };
  else {
    const message = `The output of the workflow cannot be made: ${output.fault}.`;
    sheet.end = { state: "failed", output: null, error: { class: "output_failed", message } };
  }
}

/** The output of a run; where none is declared, those of the steps that nothing needs, unless that would be a heap. */
function outputOf(sheet: Sheet) {
  const { graph } = sheet.question;
  const isDeclared = graph.output !== undefined;
  if (!isDeclared && sheet.index.sinks.length > maxImplicitOutputs) return { value: null };
  const sinks = sheet.index.sinks.map((number) => stepOf(sheet, number).id);
  const template =
    graph.output ?? Object.fromEntries(sinks.map((id) => [id, `\${steps[${JSON.stringify(id)}].output}`]));
  const answer = valueOf(sheet, undefined, {}, template);
  if (answer === undefined) return undefined;
  if ("fault" in answer) return isDeclared ? answer : { value: null };
  if (!isLargerThan(answer.value, maxValueBytes)) return answer;
  return isDeclared ? { fault: `it is larger than ${maxValueBytes} bytes` } : { value: null };
}
