import type { Json } from "@drover/domain/json";
import { parseExpression } from "@drover/domain/workflow/expression/expression";
import { templateFaults } from "@drover/domain/workflow/expression/template";
import type { Path } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";
import { refuse, type Placed, type Shape } from "@drover/document/shape/shape";

const expressionText = { type: "string", minLength: 1, description: "An expression, such as: input.pages > 3" };

/** JSON whose texts may hold `${expression}`; their syntax is checked here, what they refer to later. */
export function template(shape: Pick<Shape<Json>, "read" | "schema"> = any): Shape<Placed<Json>> {
  return {
    schema: shape.schema,
    read(at, report) {
      const value = shape.read(at, report);
      if (value === undefined) return undefined;
      return reportTemplate(at, value, report) ? { value, at } : undefined;
    },
  };
}

/** A condition, bare or as one `${}`. */
export function expression(): Shape<Placed<string>> {
  return {
    schema: { anyOf: [expressionText, { type: "boolean" }] },
    read(at, report) {
      if (typeof at.json === "boolean") return { value: String(at.json), at };
      if (typeof at.json !== "string" || at.json.trim() === "")
        return refuse(at, report, 'an expression, such as "input.pages > 3"');
      const value = bare(at.json);
      const parsed = parseExpression(value);
      if (!("message" in parsed)) return { value, at };
      const offset = parsed.offset + at.json.indexOf(value);
      report.addInside(at, { offset, length: parsed.length }, `${sentence(parsed.message)}.`);
      return undefined;
    },
  };
}

/** Reports a template's faults of syntax; true where there is none. */
export function reportTemplate(at: Value, value: Json, report: Report): boolean {
  const faults = templateFaults(value);
  for (const fault of faults) {
    const inner = within(at, fault.at);
    report.addInside(inner, fault, `${sentence(fault.message)}.`, {
      hint: 'Write $${ where the text itself has "${".',
    });
  }
  return faults.length === 0;
}

/** The value at a way inside another. */
export function within(value: Value, way: Path): Value {
  return way.reduce<Value>((at, key) => {
    const next = typeof key === "number" ? at.items?.[key] : at.fields?.get(key)?.value;
    return next ?? at;
  }, value);
}

/** `${a == 1}` as `a == 1`; other texts as they are. */
export function bare(text: string): string {
  const inner = /^\s*\$\{([^]*)\}\s*$/.exec(text)?.[1];
  return inner === undefined || inner.includes("${") ? text : inner;
}

/** A text that is no template, so that it means itself in one. */
export function literalText(text: string): string {
  // In a replacement text "$$" would be one dollar.
  return text.replaceAll("${", () => "$${");
}

/** JSON whose texts are no templates, so that it means itself in one. */
export function literal(json: Json): Json {
  if (typeof json === "string") return literalText(json);
  if (Array.isArray(json)) return json.map(literal);
  if (json === null || typeof json !== "object") return json;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, literal(value)]));
}

/** The first letter large. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const any = { schema: {}, read: ({ json }: Value) => json };

/** A text that may hold `${expression}`. */
export function templateText(expected = "a text"): Shape<Placed<Json>> {
  return template({
    schema: { type: "string", minLength: 1 },
    read: (value, report) =>
      typeof value.json === "string" && value.json.trim() !== "" ? value.json : refuse(value, report, expected),
  });
}
