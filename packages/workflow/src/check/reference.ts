import type { JsonSchema } from "@drover/domain/workflow/definition";
import { parseExpression } from "@drover/domain/workflow/expression/expression";
import { printReference, type Reference } from "@drover/domain/workflow/expression/reference";
import { templateReferences } from "@drover/domain/workflow/expression/template";
import { within } from "../shape/template.ts";
import { quote, suggest, type Path } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Draft, Names, Use } from "./draft.ts";
import { pathFault } from "./schema-path.ts";

/** What one step may refer to. */
export interface Reach {
  ids: ReadonlyMap<string, number>;
  /** Whether a step has ended before this one starts. */
  isUpstream(id: string): boolean;
  outputOf(id: string): JsonSchema | undefined;
  /** What `output` is to the step itself. */
  ownOutput?: JsonSchema;
  names: Names;
}

/** A reference, and the way to the text in which it stands. */
export type PlacedReference = Reference & { at: Path };

const ownHint = "Write output, where the step has ended: in routes and in repeat.until.";
const everywhere = ["input", "steps", "run"];
const runProperties: JsonSchema = { properties: { id: {}, workflow: {} } };

/** Everything that a template or expression reads. */
export function referencesOf({ template, expression }: Use): PlacedReference[] {
  if (template !== undefined) return templateReferences(template);
  const parsed = expression === undefined ? undefined : parseExpression(expression);
  if (parsed === undefined || "message" in parsed) return [];
  return parsed.references.map((reference) => ({ ...reference, at: [] }));
}

/** Reports the references of a step that lead nowhere, or to what does not exist yet when they are read. */
export function checkReferences({ step, uses }: Draft, reach: Reach, report: Report): void {
  for (const use of uses) {
    for (const reference of referencesOf(use)) {
      if (report.isFull()) return;
      const fault = faultOf(reference, step.id, use, reach);
      if (fault === undefined) continue;
      const { message, hint } = fault;
      const words = `${quote(printReference(reference.root, reference.path))}: ${message}.`;
      const inner = within(use.at, reference.at);
      if (use.isVerbatim === true)
        report.addInside(inner, shift(use, reference), words, hint === undefined ? {} : { hint });
      else report.add(inner, words, hint === undefined ? {} : { hint });
    }
  }
}

/** An expression may stand in `${}` in the document. */
function shift({ expression, at }: Use, { offset, length }: Reference): { offset: number; length: number } {
  const before = expression === undefined || typeof at.json !== "string" ? 0 : at.json.indexOf(expression);
  return { offset: offset + Math.max(0, before), length };
}

function faultOf(
  { root, path }: Reference,
  step: string,
  use: Use,
  reach: Reach,
): { message: string; hint?: string } | undefined {
  const { names } = reach;
  if (root === "steps") return stepFault(String(path[0]), path.slice(2), step, reach);
  if (root === "output" && use.isAfter === true) return reach.ownOutput && pathFault(reach.ownOutput, path);
  const input = use.input ?? names.input;
  if (root === "input") return input && pathFault(input, path);
  if (root === "run") return pathFault(runProperties, path);
  if (root === "state" && names.state !== undefined) {
    return pathFault({ properties: Object.fromEntries(names.state.map((name) => [name, {}])) }, path);
  }
  const own = use.isAfter === true ? ["output"] : [];
  const known = [...everywhere, ...(names.state === undefined ? [] : ["state"]), ...(use.names ?? []), ...own];
  if (known.includes(root)) return undefined;
  const hint = reach.ids.has(root)
    ? { hint: `Write ${printReference("steps", [root, "output"])}.` }
    : suggest(root, known);
  return { message: "expected a name that is known here", ...hint };
}

function stepFault(
  id: string,
  path: readonly (string | number)[],
  own: string,
  { ids, isUpstream, outputOf }: Reach,
): { message: string; hint?: string } | undefined {
  if (!ids.has(id)) return { message: `expected the id of a step, got ${quote(id)}`, ...suggest(id, [...ids.keys()]) };
  if (id === own) return { message: "expected a step that ends before, got the step itself", hint: ownHint };
  if (!isUpstream(id)) {
    return {
      message: `expected a step that ends before ${quote(own)} starts, got ${quote(id)}`,
      hint: `Let ${quote(own)} need ${quote(id)}.`,
    };
  }
  const schema = outputOf(id);
  return schema === undefined ? undefined : pathFault(schema, path);
}
