import type { Class } from "@drover/proto/drover/class";
import type { Context } from "./command.ts";
import type { ExitCode } from "./exit.ts";
import { notAnswered } from "./fault.ts";
import { groupDigits } from "./progress.ts";
import type { Cell, Column } from "./table.ts";

export const classColumns: Column[] = [
  { heading: "CLASS" },
  { heading: "STATE" },
  { heading: "RUNNING", align: "right" },
  { heading: "LIMIT", align: "right" },
  { heading: "PENDING", align: "right" },
  { heading: "WAITING", align: "right" },
  { heading: "CEILING", align: "right" },
  { heading: "DEFAULT IMAGE", isFlexible: true },
];

/** A class for programs. */
export function classJson({
  name,
  paused,
  running,
  pending,
  waiting,
  concurrencyLimit,
  depthLimit,
  defaultImage,
}: Class): Record<string, unknown> {
  return {
    name,
    paused,
    running: Number(running),
    pending: Number(pending),
    waiting: Number(waiting),
    concurrencyLimit: concurrencyLimit ?? null,
    depthLimit: depthLimit === undefined ? null : Number(depthLimit),
    defaultImage,
  };
}

/** A class as a row. */
export function classRow(each: Class): (Cell | string)[] {
  return [
    each.name,
    each.paused ? { text: "paused", color: "yellow" } : { text: "open", color: "green" },
    groupDigits(each.running),
    each.concurrencyLimit === undefined ? "-" : groupDigits(each.concurrencyLimit),
    groupDigits(each.pending),
    groupDigits(each.waiting),
    each.depthLimit === undefined ? "-" : groupDigits(each.depthLimit),
    each.defaultImage || "-",
  ];
}

/** Shows the class that a change answered with. */
export function showChangedClass({ output }: Context, changed: Class | undefined): ExitCode {
  if (changed === undefined) throw notAnswered("a class");
  if (output.isJson) output.json(classJson(changed));
  else output.table(classColumns, [classRow(changed)]);
  return 0;
}
