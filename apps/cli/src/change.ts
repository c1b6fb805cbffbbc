import type { Task } from "@drover/proto/drover/task";
import type { Output } from "./output.ts";
import { errorText } from "./fact.ts";
import { stateCell, taskJson } from "./task-view.ts";

/** Says the state of a task in one line. */
export function showChange(task: Task, output: Output): void {
  if (output.isJson) return output.jsonLine(taskJson(task));
  const { text, color } = stateCell(task);
  const where = task.holder !== "" && text === "running" ? `on ${task.holder}` : "";
  const attempt = task.attempt > 1 ? `attempt ${task.attempt}` : "";
  const cause = task.error === undefined ? "" : errorText(task.error);
  const time = new Date().toTimeString().slice(0, 8);
  output.line(
    [output.paint(time, "dim"), task.id, output.paint(text.padEnd(10), color), where, attempt, cause]
      .filter(Boolean)
      .join("  ")
      .trimEnd(),
  );
}
