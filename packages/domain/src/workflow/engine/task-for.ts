import type { Execution, ExecutorName } from "../../execution.ts";
import type { Json } from "../../json.ts";
import type { TaskStart } from "./advance-answer.ts";
import type { StepError } from "./advance-question.ts";
import type { Step, TaskWork } from "../definition.ts";
import { keepTexts } from "./execution-text.ts";
import { type UnitContext, valueOf } from "./scope.ts";
import { expressionFault } from "./settle.ts";
import type { Sheet } from "./sheet.ts";
import { isLargerThan } from "../size.ts";

/** As much JSON as a task may carry. */
export const maxTaskBytes = 256 * 1024;

/** The task of a unit, its templates filled in; an error where that cannot be; undefined where something must be read. */
export function taskFor(
  sheet: Sheet,
  row: { number: number; item: number },
  step: Pick<Step, "class" | "priority" | "timeoutSeconds" | "retry"> & { id?: string },
  work: TaskWork,
  context: UnitContext,
): TaskStart | StepError | undefined {
  const owner = sheet.question.graph.steps[row.number];
  const execution =
    work.execution === undefined ? undefined : valueOf(sheet, owner, context, work.execution as unknown as Json);
  const payload = valueOf(sheet, owner, context, work.payload ?? null);
  if (payload === undefined || (work.execution !== undefined && execution === undefined)) return undefined;
  if ("fault" in payload) return expressionFault(payload.fault);
  if (execution !== undefined && "fault" in execution) return expressionFault(execution.fault);
  if (isLargerThan([payload.value, execution?.value ?? null], maxTaskBytes)) {
    const message = `The task of step "${step.id ?? owner?.id}" would carry more than ${maxTaskBytes} bytes; hand over a path or an address instead.`;
    return { class: "payload_too_large", message };
  }
  return {
    id: sheet.question.newId(),
    number: row.number,
    item: row.item,
    class: step.class ?? "cpu_short",
    type: work.type ?? "",
    execution: execution && asExecution(work, execution.value),
    payload: payload.value,
    priority: step.priority ?? 0,
    timeoutSeconds: step.timeoutSeconds,
    retry: step.retry,
  };
}

/** What is checked when a workflow is applied stays true: templates change nothing but texts. */
function asExecution(work: TaskWork, rendered: Json): Execution & { executor?: ExecutorName } {
  return keepTexts(work.execution as unknown as Json, rendered) as unknown as Execution & { executor?: ExecutorName };
}
