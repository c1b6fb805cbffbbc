import type { Json } from "../../json.ts";
import type { ExpressionFault } from "./expression.ts";
import type { Reference } from "./reference.ts";
import { parseTemplateText } from "./template-text.ts";

/** What is wrong with a text of a template, and the way to that text inside the template. */
export interface TemplateFault extends ExpressionFault {
  at: (string | number)[];
}

/** A reference, and the way to the text in which it stands. */
export interface TemplateReference extends Reference {
  at: (string | number)[];
}

export interface ParsedTemplate {
  references: TemplateReference[];
  faults: TemplateFault[];
}

/** How deep lists and objects of a template may be nested. */
export const maxTemplateDepth = 200;

/** What a template reads and every fault of its syntax. Keys of objects are no templates. */
export function parseTemplate(template: Json): ParsedTemplate {
  const parsed: ParsedTemplate = { references: [], faults: [] };
  visit(template, [], parsed);
  return parsed;
}

/** Every fault of a template's syntax at once. */
export function templateFaults(template: Json): TemplateFault[] {
  return parseTemplate(template).faults;
}

/** Everything that a template reads. */
export function templateReferences(template: Json): TemplateReference[] {
  return parseTemplate(template).references;
}

/** A text that renders to this one, whatever is in it. */
export function escapeText(text: string): string {
  return text.replaceAll("${", () => "$${");
}

/** What to say of a template that is nested deeper than allowed. */
export function describeDepth(): string {
  return `expected at most ${maxTemplateDepth} levels of lists and objects in a template, got more`;
}

function visit(template: Json, at: (string | number)[], parsed: ParsedTemplate): void {
  if (typeof template === "string") return visitText(template, at, parsed);
  if (template === null || typeof template !== "object") return;
  if (at.length === maxTemplateDepth) {
    parsed.faults.push({ message: describeDepth(), offset: 0, length: 0, at: [...at] });
    return;
  }
  const isList = Array.isArray(template);
  for (const [key, value] of Object.entries(template)) {
    at.push(isList ? Number(key) : key);
    visit(value, at, parsed);
    at.pop();
  }
}

function visitText(text: string, at: readonly (string | number)[], parsed: ParsedTemplate): void {
  if (!text.includes("${")) return;
  const { parts, faults } = parseTemplateText(text);
  for (const fault of faults) parsed.faults.push({ ...fault, at: [...at] });
  for (const part of parts) {
    const references = typeof part === "string" ? [] : part.references;
    for (const reference of references) parsed.references.push({ ...reference, at: [...at] });
  }
}
