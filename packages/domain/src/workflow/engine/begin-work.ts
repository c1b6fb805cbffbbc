import type { Json } from "../../json.ts";
import type { RowData, StepError, StepRow } from "./advance-question.ts";
import type { Step, Work } from "../definition.ts";
import { planWaiting, type WaitingWork } from "./begin-waiting.ts";
import { beginTalk } from "./conversation.ts";
import { contextOf } from "./context.ts";
import { endUnit } from "./end-unit.ts";
import { holdRow } from "./hold-row.ts";
import { stepOf, valueOf } from "./scope.ts";
import { expressionFault } from "./settle.ts";
import { rowKey, type Sheet } from "./sheet.ts";
import { isLargerThan, maxValueBytes } from "../size.ts";
import { taskFor } from "./task-for.ts";

const maxDepth = 16;

/** Begins the work of a row: the step itself, or one of its items. */
export function beginWork(sheet: Sheet, row: StepRow): void {
  const step = stepOf(sheet, row.number);
  const { work } = step;
  const refused = sheet.question.known.refused.get(rowKey(row.number, row.item));
  if (refused !== undefined) return endUnit(sheet, countIn(sheet, row), { error: refused });
  if (takesRoom(work) && !hasRoom(sheet)) return holdRow(sheet, row);
  switch (work.kind) {
    case "value": {
      const answer = valueOf(sheet, step, contextOf(row), work.output ?? null);
      if (answer === undefined) return;
      const end =
        "fault" in answer ? { error: expressionFault(answer.fault) } : { output: answer.value, isStored: true };
      return endUnit(sheet, countIn(sheet, row), end);
    }
    case "wait":
    case "event":
    case "approval":
      return beginWaiting(sheet, row, work);
    case "task": {
      const task = taskFor(sheet, row, step, work, contextOf(row));
      if (task === undefined) return;
      if ("class" in task && "message" in task) return endUnit(sheet, countIn(sheet, row), { error: task });
      sheet.tasks.push(task);
      return launch(sheet, row, { taskId: task.id });
    }
    case "llm": {
      const begun = beginTalk(sheet, row, step, work);
      if (begun === undefined) return;
      if ("error" in begun) return endUnit(sheet, countIn(sheet, row), begun);
      sheet.tasks.push(begun.task);
      return launch(sheet, row, { taskId: begun.task.id, data: { ...row.data, talk: begun.talk } });
    }
    case "workflow":
    case "steps":
      return beginNested(sheet, row, step, work);
  }
}

/** Whether work counts toward the limit of parallelism: what only waits does not. */
export function takesRoom(work: Work): boolean {
  return work.kind === "task" || work.kind === "llm" || work.kind === "workflow" || work.kind === "steps";
}

/** Whether the run may start another unit. */
export function hasRoom(sheet: Sheet): boolean {
  return sheet.counts.running < (sheet.question.graph.maxParallel ?? Infinity);
}

function launch(sheet: Sheet, row: StepRow, change: { taskId?: string; childRunId?: string; data?: RowData }): void {
  sheet.counts.running += 1;
  sheet.write(countIn(sheet, row), { state: "running", ...(row.data !== null && { data: row.data }), ...change });
}

/** An item that begins is counted in its step's own row. */
function countIn(sheet: Sheet, row: StepRow): StepRow {
  if (row.item < 0) return row;
  const header = sheet.row(row.number);
  if (header) sheet.write(header, { data: { ...header.data, running: (header.data?.running ?? 0) + 1 } });
  return row;
}

function beginNested(sheet: Sheet, row: StepRow, step: Step, work: Work & { kind: "workflow" | "steps" }): void {
  const { run } = sheet.question;
  const context = contextOf(row);
  const inherited: Json = row.item >= 0 ? (context.item ?? null) : run.input;
  const answer = work.input === undefined ? { value: inherited } : valueOf(sheet, step, context, work.input);
  if (answer === undefined) return;
  const error: StepError | undefined =
    "fault" in answer
      ? expressionFault(answer.fault)
      : run.depth >= maxDepth
        ? { class: "too_deep", message: `Expected at most ${maxDepth} levels of nested runs; does it start itself?` }
        : isLargerThan(answer.value, maxValueBytes)
          ? { class: "payload_too_large", message: `Expected an input of at most ${maxValueBytes} bytes, got more.` }
          : undefined;
  if (error !== undefined || "fault" in answer) {
    return endUnit(sheet, countIn(sheet, row), { error: error ?? expressionFault("no input") });
  }
  const ownMs = step.timeoutSeconds === undefined ? Infinity : run.nowMs + step.timeoutSeconds * 1000;
  const deadlineMs = Math.min(run.deadlineMs ?? Infinity, ownMs);
  const id = sheet.question.newId();
  sheet.children.push({
    id,
    number: row.number,
    item: row.item,
    workflow: work.kind === "workflow" ? { name: work.name, version: work.version } : undefined,
    input: answer.value,
    deadlineMs: deadlineMs === Infinity ? undefined : deadlineMs,
  });
  launch(sheet, row, { childRunId: id });
}

function beginWaiting(sheet: Sheet, row: StepRow, work: WaitingWork): void {
  const plan = planWaiting(sheet, row, work);
  if (plan === undefined) return;
  if (!("data" in plan)) return endUnit(sheet, countIn(sheet, row), plan);
  const { data } = plan;
  sheet.write(countIn(sheet, row), { state: "waiting", data });
  if (data.untilMs !== undefined) sheet.wakeAtMs = Math.min(sheet.wakeAtMs ?? Infinity, data.untilMs);
}
