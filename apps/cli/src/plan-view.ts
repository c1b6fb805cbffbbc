import { toJson } from "@bufbuild/protobuf";
import { type PlanStep, PlanStepSchema } from "@drover/proto/drover/environment";
import type { Output } from "./output.ts";
import { rejectionColumns } from "./service-view.ts";
import type { Color } from "./table.ts";
import { printable, textWidth } from "./text-width.ts";

/** A plan as lines: a sign, a service and what happens to it, with each change below; then the sum. */
export function renderPlan(steps: readonly PlanStep[], { output, sum }: { output: Output; sum: string }): string[] {
  const shown = steps.filter(({ action, rejections }) => action !== "keep" || rejections.length > 0);
  const width = Math.max(0, ...shown.map((step) => textWidth(nameOf(step))));
  return [...shown.flatMap((step) => renderStep(step, width, output)), ...(shown.length > 0 ? [""] : []), sum];
}

/** Whether applying would change anything. */
export function isPlanEmpty(steps: readonly PlanStep[]): boolean {
  return steps.every(({ action }) => action === "keep");
}

/** `1 to create, 2 to change, 3 stay as they are`. */
export function planSum(steps: readonly PlanStep[]): string {
  const count = (...actions: string[]) => steps.filter(({ action }) => actions.includes(action)).length;
  const parts: [number, string][] = [
    [count("create"), "to create"],
    [count("replace"), "to replace"],
    [count("update", "scale"), "to change"],
    [count("remove"), "to remove"],
    [count("keep"), count("keep") === 1 ? "stays as it is" : "stay as they are"],
  ];
  return parts.flatMap(([number, text]) => (number > 0 ? [`${number} ${text}`] : [])).join(", ");
}

/** Steps for programs. */
export function planJson(steps: readonly PlanStep[]): unknown[] {
  return steps.map((step) => toJson(PlanStepSchema, step, { alwaysEmitImplicit: true }));
}

function renderStep(step: PlanStep, width: number, output: Output): string[] {
  const { action, changes, rejections, nodes } = step;
  const { sign, color } = signs[action] ?? { sign: "~", color: "yellow" };
  const name = nameOf(step);
  const head = `${output.paint(`${sign} ${name}`, color)}${" ".repeat(width - textWidth(name))}  ${action}`;
  const places = nodes.length > 0 ? [`goes to ${nodesText(nodes)}`] : [];
  const lines = [...changes, ...places].map((change) => `${" ".repeat(6)}${printable(change)}`);
  if (rejections.length === 0) return [`  ${head}`, ...lines];
  const rows = rejections.map(({ node, code, message }) => [node, code, message]);
  const table = output.tableLines(rejectionColumns, rows).map((line) => `${" ".repeat(8)}${line}`);
  return [
    `  ${head}`,
    ...lines,
    `${" ".repeat(6)}${output.paint(nodes.length > 0 ? "No node can run more of it now:" : "No node can run it now:", "red")}`,
    ...table,
  ];
}

/** `n1, n2 (3)`: three replicas go to n2. */
function nodesText(nodes: readonly string[]): string {
  const counts = Map.groupBy(nodes, (node) => node);
  return [...counts].map(([node, { length }]) => (length === 1 ? node : `${node} (${length})`)).join(", ");
}

function nameOf({ service }: PlanStep): string {
  return service === "" ? "(environment)" : printable(service);
}

const signs: Readonly<Record<string, { sign: string; color: Color }>> = {
  create: { sign: "+", color: "green" },
  update: { sign: "~", color: "yellow" },
  replace: { sign: "~", color: "yellow" },
  scale: { sign: "~", color: "yellow" },
  remove: { sign: "-", color: "red" },
  keep: { sign: "=", color: "dim" },
};
