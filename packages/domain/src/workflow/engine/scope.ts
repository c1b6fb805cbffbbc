import type { Json } from "../../json.ts";
import { isTruthy } from "../expression/expression-value.ts";
import { evaluate } from "../expression/expression-evaluate.ts";
import { parseExpression } from "../expression/expression.ts";
import type { Expression, Step, Template } from "../definition.ts";
import { stepAt } from "../graph-index.ts";
import type { Scope } from "../expression/reference.ts";
import type { Sheet } from "./sheet.ts";
import { render } from "../expression/template-render.ts";

/** What a unit of a step sees beside the run: its item, its round, its output. */
export interface UnitContext {
  item?: Json;
  index?: number;
  iteration?: number;
  previous?: Json;
  output?: Json;
  /** Of a tool: what the model gave, instead of the run's input. */
  input?: Json;
}

/** A value; or a fault; or undefined where something must be read first, which the sheet has noted. */
export type Answer<T> = { value: T } | { fault: string } | undefined;

/** The value of a template for a unit. */
export function valueOf(sheet: Sheet, step: Step | undefined, context: UnitContext, template: Template): Answer<Json> {
  return settled(render(template, scopeOf(sheet, step, context)));
}

/** Whether an expression holds for a unit. */
export function holds(sheet: Sheet, step: Step, context: UnitContext, expression: Expression): Answer<boolean> {
  const parsed = parseExpression(expression);
  if ("message" in parsed) return { fault: parsed.message };
  const answer = settled(evaluate(parsed, scopeOf(sheet, step, context)));
  return answer === undefined || "fault" in answer ? answer : { value: isTruthy(answer.value) };
}

function settled(evaluation: { value: Json } | { fault: string } | { missing: unknown }): Answer<Json> {
  return "missing" in evaluation ? undefined : evaluation;
}

function scopeOf(sheet: Sheet, step: Step | undefined, context: UnitContext): Scope {
  const { run } = sheet.question;
  const roots: Record<string, Json | undefined> = {
    input: context.input === undefined ? run.input : context.input,
    state: sheet.fields,
    run: { id: run.id, workflow: run.workflow },
    item: context.item,
    index: context.index,
    iteration: context.iteration,
    previous: context.previous,
    output: context.output,
    ...(step?.each?.as !== undefined && { [step.each.as]: context.item }),
  };
  const names = Object.keys(roots).filter((name) => roots[name] !== undefined);
  return {
    names: [...names, "steps"],
    root: (name) => (Object.hasOwn(roots, name) ? roots[name] : undefined),
    step: (id) => stepOutput(sheet, id),
  };
}

/** The output of a step; of one that was skipped, or failed where it may, null. */
function stepOutput(sheet: Sheet, id: string): { output: Json } | "missing" | { fault: string } {
  const number = sheet.index.numberOf.get(id);
  if (number === undefined) return { fault: `there is no step "${id}"` };
  const fresh = sheet.outputs.get(number);
  if (fresh !== undefined) return { output: fresh };
  const row = sheet.row(number);
  if (row === undefined) return "missing";
  if (row?.state === "skipped" || row?.state === "failed") return { output: null };
  if (row?.state !== "completed")
    return { fault: `step "${id}" has no output yet: it is ${row?.state ?? "not reached"}` };
  const output = storedOutput(sheet, number, row.data?.total);
  return output === undefined ? "missing" : { output };
}

/** The output of a step as it was read, of a map with what its items gave in this advance; undefined: to be read first. */
export function storedOutput(sheet: Sheet, number: number, total: number | undefined): Json | undefined {
  const fresh = sheet.itemOutputs.get(number);
  const read = sheet.question.known.outputs.get(number);
  if (read === undefined && (total === undefined || fresh?.size !== total)) {
    sheet.missing.outputs.add(number);
    return undefined;
  }
  if (total === undefined || fresh === undefined) return read;
  const list = Array.isArray(read) ? read : [];
  return Array.from({ length: total }, (_, item) => fresh.get(item) ?? list[item] ?? null);
}

/** The step of a number in the run of a sheet. */
export function stepOf(sheet: Sheet, number: number): Step {
  return stepAt(sheet.question.graph, number);
}
