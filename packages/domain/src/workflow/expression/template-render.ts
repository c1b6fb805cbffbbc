import type { Json } from "../../json.ts";
import { evaluate, oncePerStep } from "./expression-evaluate.ts";
import { isDeeperThan } from "./expression-value.ts";
import { printReference } from "./reference.ts";
import type { Evaluation, Reference, Scope } from "./reference.ts";
import { describeDepth, maxTemplateDepth } from "./template.ts";
import { parseTemplateText } from "./template-text.ts";

interface Rendering {
  readonly scope: Scope;
  /** The way to what is rendered now. */
  readonly at: (string | number)[];
  readonly missing: Reference[];
  fault?: string;
}

const maxTextLength = 16_000_000;
const maxWrittenDepth = 500;

/**
 * The value of a template: a text that is one `${expression}` has the type of its value, in longer texts texts are
 * written as they are and everything else as JSON. Or the first fault; or, before any fault, the outputs to load.
 */
export function render(template: Json, scope: Scope): Evaluation {
  const rendering: Rendering = { scope, at: [], missing: [] };
  const value = renderValue(template, rendering);
  if (rendering.missing.length > 0) return { missing: oncePerStep(rendering.missing) };
  return rendering.fault === undefined ? { value } : { fault: rendering.fault };
}

/** Once there is a fault, null stands for the rest and nothing is looked at any more. */
function renderValue(template: Json, rendering: Rendering): Json {
  if (rendering.fault !== undefined) return null;
  if (typeof template === "string") return template.includes("${") ? renderText(template, rendering) : template;
  if (template === null || typeof template !== "object") return template;
  if (rendering.at.length === maxTemplateDepth) return fail(rendering, describeDepth());
  if (Array.isArray(template)) return template.map((item, index) => renderAt(index, item, rendering));
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, renderAt(key, value, rendering)]));
}

function renderAt(key: string | number, template: Json, rendering: Rendering): Json {
  rendering.at.push(key);
  const value = renderValue(template, rendering);
  rendering.at.pop();
  return value;
}

function renderText(text: string, rendering: Rendering): Json {
  const { parts, faults } = parseTemplateText(text);
  const [fault] = faults;
  if (fault !== undefined) return fail(rendering, fault.message);
  const values: Json[] = [];
  for (const part of parts) {
    const outcome = typeof part === "string" ? { value: part } : evaluate(part, rendering.scope);
    if ("fault" in outcome) return fail(rendering, outcome.fault);
    if ("value" in outcome) values.push(outcome.value);
    else for (const reference of outcome.missing) rendering.missing.push(reference);
  }
  const [first = ""] = values;
  const isWhole = parts.length === 1 && typeof parts[0] !== "string";
  return isWhole ? first : writeText(values, rendering);
}

function writeText(values: readonly Json[], rendering: Rendering): Json {
  let text = "";
  for (const value of values) {
    if (isDeeperThan(value, maxWrittenDepth)) {
      return fail(rendering, `expected at most ${maxWrittenDepth} levels in a value inside a text, got more`);
    }
    text += typeof value === "string" ? value : JSON.stringify(value);
    if (text.length > maxTextLength) return fail(rendering, `expected a text of at most ${maxTextLength} characters`);
  }
  return text;
}

function fail(rendering: Rendering, message: string): null {
  const { at } = rendering;
  const [root, ...path] = at;
  const place = root === undefined ? "" : `at ${printReference(String(root), path)}: `;
  rendering.fault ??= place + message;
  return null;
}
