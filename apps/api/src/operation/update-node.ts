import { markNode } from "@drover/db/query/node";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";
import { findNode, nodeNotFound } from "./find-node.ts";

export interface NodeMarks {
  setLabels: Record<string, string>;
  unsetLabels: readonly string[];
  addTaints: readonly string[];
  removeTaints: readonly string[];
}

/** Changes the labels and taints by which placement chooses. What runs on the node goes on. */
export async function updateNode(deps: Deps, caller: Caller, name: string, marks: NodeMarks): Promise<void> {
  checkLabels("set_labels", marks.setLabels);
  checkTaints("add_taints", marks.addTaints);
  const both = marks.unsetLabels.find((label) => label in marks.setLabels);
  if (both !== undefined) throw wrong("unset_labels", `Expected label "${both}" to be set or taken away, got both.`);
  const { id, isRemoved } = await findNode(deps, caller, name);
  if (isRemoved || !(await markNode(deps.db, { holderId: id, actor: caller.actor }, marks))) throw nodeNotFound(name);
  // Of what waits for room some may fit now.
  deps.waker.wake("place");
}

const labelKey = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$/;
const word = /^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$/;
const most = 64;

/** Refuses labels that could not be named in constraints. */
export function checkLabels(field: string, labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  if (entries.length > most) throw wrong(field, `Expected at most ${most} labels, got ${entries.length}.`);
  for (const [key, value] of entries) {
    if (!labelKey.test(key)) {
      throw wrong(
        field,
        `Expected the key of a label in lower-case letters, digits, dots, dashes and underscores (63 at most), with or without a prefix and a slash, got "${key}".`,
      );
    }
    if (value.length > 63 || /[\p{Cc}=,\s]/u.test(value)) {
      throw wrong(
        field,
        `Expected at most 63 characters without blanks, commas or equals signs as value of label "${key}", got "${value}".`,
      );
    }
  }
}

/** Refuses taints that are no words. */
export function checkTaints(field: string, taints: readonly string[]): void {
  if (taints.length > most) throw wrong(field, `Expected at most ${most} taints, got ${taints.length}.`);
  const odd = taints.find((taint) => !word.test(taint));
  if (odd === undefined) return;
  throw wrong(
    field,
    `Expected a taint in lower-case letters, digits, dots, dashes and underscores (63 at most), got "${odd}".`,
  );
}

function wrong(field: string, message: string): DroverError {
  return new DroverError("invalid", message, { fields: [{ field, message }] });
}
