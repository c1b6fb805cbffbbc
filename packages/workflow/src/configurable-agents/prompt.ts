import { printReference } from "@drover/domain/workflow/expression/reference";
import { fillPlaceholders } from "../shape/placeholder.ts";
import { quote, suggest } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";

/** What placeholders may name: inputs of the node, which win, and fields of the state. */
export interface Placeholders {
  inputs: ReadonlyMap<string, string>;
  fields: readonly string[];
}

/** A text with `{name}` and `{state.name}` as a template. */
export function toTemplate(text: string, at: Value, { inputs, fields }: Placeholders, report: Report): string {
  return fillPlaceholders(text, ({ whole, path: [root, ...rest], offset }) => {
    const isState = root === "state" && rest.length > 0;
    const input = isState || rest.length > 0 ? undefined : inputs.get(root);
    if (input !== undefined) return input;
    const [field = "", ...path] = isState ? rest : [root, ...rest];
    if (fields.includes(field)) return `\${${printReference("state", [field, ...path])}}`;
    const message = `Expected the name of ${isState ? "" : "an input or "}a state field, got ${quote(whole)}.`;
    const known = isState ? fields : [...inputs.keys(), ...fields];
    report.addInside(at, { offset, length: whole.length }, message, () => suggest(field, known));
    return undefined;
  });
}
