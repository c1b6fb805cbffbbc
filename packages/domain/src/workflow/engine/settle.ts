import type { Json } from "../../json.ts";
import type { StepError, StepRow } from "./advance-question.ts";
import type { Exit, Step } from "../definition.ts";
import { holds, stepOf, valueOf } from "./scope.ts";
import type { Sheet } from "./sheet.ts";
import { isLargerThan, maxValueBytes } from "../size.ts";

/**
 * A step completed: its fields are written, its exits chosen, and those who need it looked at. Undefined output: that of
 * its task or nested run, which nobody had to read.
 */
export function completeStep(sheet: Sheet, row: StepRow, output: Json | undefined, isStored: boolean): void {
  if (output === undefined) {
    sheet.write(row, { state: "completed" });
    sheet.counts.completed += 1;
    return lookOn(sheet, row.number);
  }
  const before = sheet.fields;
  if (writeOutput(sheet, row, output)) leaveStep(sheet, row, output, isStored, before);
}

/** What a step, or a round of it, gave goes into the fields that it writes; false where it failed at that, or must read first. */
export function writeOutput(sheet: Sheet, row: StepRow, output: Json): boolean {
  sheet.outputs.set(row.number, output);
  const fields = writeFields(sheet, stepOf(sheet, row.number), output);
  if (fields === undefined) return false;
  if ("value" in fields) {
    sheet.fields = fields.value;
    return true;
  }
  failStep(sheet, row, "fault" in fields ? expressionFault(fields.fault) : fields.error);
  return false;
}

/** A step whose fields are written completes by its exits; where they cannot be chosen, its fields are as before. */
export function leaveStep(
  sheet: Sheet,
  row: StepRow,
  output: Json,
  isStored: boolean,
  before: Record<string, Json>,
): void {
  const exits = chooseExits(sheet, stepOf(sheet, row.number), output);
  if (exits === undefined) return;
  if ("fault" in exits) {
    sheet.fields = before;
    return failStep(sheet, row, expressionFault(exits.fault));
  }
  sheet.write(row, {
    state: "completed",
    ...(isStored && { output }),
    ...(exits.value !== null && { exits: exits.value }),
  });
  sheet.counts.completed += 1;
  lookOn(sheet, row.number);
}

/** Whether a step's output must be read when it completes. */
export function needsOutput(step: Step): boolean {
  return step.exits !== undefined || step.writes !== undefined || step.repeat !== undefined;
}

/** A step failed for good: those who need it are skipped, unless it may; the run stops where its policy says so. */
export function failStep(sheet: Sheet, row: StepRow, error: StepError): void {
  const step = stepOf(sheet, row.number);
  sheet.outputs.delete(row.number);
  sheet.write(row, { state: "failed", error });
  sheet.counts.failed += 1;
  if (step.mayFail === true) sheet.counts.tolerated += 1;
  else if (sheet.question.definition.failure?.onFailure === "stop" || step.isCritical === true) {
    stop(sheet, "failed", `Step "${step.id}" failed: ${error.message}`);
  }
  lookOn(sheet, row.number);
}

/** A step is not run, because its branch was not taken or something that it needs failed. */
export function skipStep(sheet: Sheet, row: StepRow, error: StepError): void {
  sheet.write(row, { state: "skipped", error });
  sheet.counts.skipped += 1;
  lookOn(sheet, row.number);
}

/** A step was stopped with its run. */
export function cancelStep(sheet: Sheet, row: StepRow, error: StepError): void {
  sheet.write(row, { state: "cancelled", error });
  sheet.counts.cancelled += 1;
  lookOn(sheet, row.number);
}

/** The run starts nothing further, and what is in flight is asked to stop. The first reason counts. */
export function stop(sheet: Sheet, why: "cancelled" | "deadline" | "failed", reason: string): void {
  if (sheet.stopping !== undefined) return;
  sheet.stopping = why;
  sheet.reason = reason;
  sheet.stopsUnits = true;
}

/** An error for a template or condition that cannot be evaluated. */
export function expressionFault(fault: string): StepError {
  return { class: "expression_failed", message: sentence(fault.charAt(0).toUpperCase() + fault.slice(1)) };
}

/** A text that ends as a sentence does. */
export function sentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

function lookOn(sheet: Sheet, number: number): void {
  for (const successor of sheet.index.successors[number] ?? []) sheet.agenda.add(successor);
}

function writeFields(
  sheet: Sheet,
  step: Step,
  output: Json,
): { value: Record<string, Json> } | { fault: string } | { error: StepError } | undefined {
  let fields = sheet.fields;
  for (const [name, template] of Object.entries(step.writes ?? {})) {
    const answer = valueOf(sheet, step, { output }, template);
    if (answer === undefined || "fault" in answer) return answer;
    const old = fields[name];
    const merge = sheet.question.definition.state?.[name]?.merge;
    const list = old === undefined || old === null ? [] : old;
    const isAppended = merge === "append" && Array.isArray(list);
    const added = Array.isArray(answer.value) ? answer.value : [answer.value];
    const value = isAppended ? [...list, ...added] : answer.value;
    if (isLargerThan(value, maxValueBytes)) {
      const message = `Expected a value of at most ${maxValueBytes} bytes in the field "${name}", got more.`;
      return { error: { class: "state_too_large", message } };
    }
    fields = { ...fields, [name]: value };
  }
  return { value: fields };
}

/** Of each group the first exit whose condition is true, else the one without; null where there are no exits. */
function chooseExits(
  sheet: Sheet,
  step: Step,
  output: Json,
): { value: number[] | null } | { fault: string } | undefined {
  if (step.exits === undefined) return { value: null };
  const taken: number[] = [];
  for (const group of Map.groupBy(step.exits.entries(), ([, exit]) => exit.group).values()) {
    const choice = chooseExit(sheet, step, output, group);
    if (choice === undefined || "fault" in choice) return choice;
    if (choice.value !== null) taken.push(choice.value);
  }
  return { value: taken };
}

/** A condition that cannot be evaluated is passed over; it fails the step where nothing else of its group is taken. */
function chooseExit(
  sheet: Sheet,
  step: Step,
  output: Json,
  group: [number, Exit][],
): { value: number | null } | { fault: string } | undefined {
  let fault: string | undefined;
  for (const [place, { when }] of group) {
    if (when === undefined) continue;
    const answer = holds(sheet, step, { output }, when);
    if (answer === undefined) return undefined;
    if ("fault" in answer) fault ??= `condition \`${when}\`: ${answer.fault}`;
    else if (answer.value) return { value: place };
  }
  const rest = group.find(([, exit]) => exit.when === undefined);
  if (rest !== undefined) return { value: rest[0] };
  return fault === undefined ? { value: null } : { fault };
}
