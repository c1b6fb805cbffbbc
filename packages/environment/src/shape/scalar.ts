import { byKind, list, named } from "@drover/document/shape/record";
import { flag, mapped, number, text, type Shape } from "@drover/document/shape/shape";

/** A name that is a part of host names: of environments and services. */
export const labelPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
export const labelExpected = "a name of small letters, digits and -, at most 63 characters";

/** A name as Docker takes it for networks and volumes. */
export const dockerName = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
  expected: "a name of letters, digits, _, . and -, at most 63 characters",
};

/** A variable of a container's environment. */
export const variableName = {
  pattern: /^[A-Za-z_][A-Za-z0-9_.-]{0,254}$/,
  expected: "the name of a variable: letters, digits and _",
};

export const absolutePath = () =>
  text({ pattern: /^\/[^\0]*$/, max: 4096, expected: "an absolute path", hint: "Begin it with a slash." });

/** A text, or a number or flag that stands for its text. */
export function scalar(max = 100_000): Shape<string> {
  return byKind(scalarKinds(max));
}

/** The same, to be one of several shapes. */
export function scalarKinds(max = 100_000) {
  return { text: text({ blank: true, max }), number: mapped(number(), String), flag: mapped(flag(), String) };
}

/** Names with texts, for containers, services and nodes. */
export function labels(): Shape<Record<string, string>> {
  const pattern = /^[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,126}[A-Za-z0-9])?$/;
  const expected = "a label of letters, digits, _, ., / and -, at most 128 characters";
  return mapped(named(scalar(4096), { name: "labels", key: { pattern, expected } }), (found, at, report) => {
    for (const [key, field] of at.fields ?? []) {
      if (!key.startsWith("drover.")) continue;
      report.add(field.key, `Expected a label of your own, got ${JSON.stringify(key)}: drover. is kept for Drover.`);
    }
    return Object.fromEntries(found);
  });
}

/** Several, or one without brackets. */
export function oneOrMore<T>(shape: Shape<T>): Shape<T[]> {
  return byKind({ text: mapped(shape, (item) => [item]), list: list(shape) });
}

/** A shape in whose place nothing may stand, as in `data:`. */
export function orNothing<T>(shape: Shape<T>, nothing: T): Shape<T> {
  return {
    schema: { anyOf: [shape.schema, { type: "null" }] },
    read: (value, report) => (value.json === null ? nothing : shape.read(value, report)),
  };
}

/** At most so many; the schema of lists and objects says it with their own words. */
export function atMost<T>(max: number, shape: Shape<T>, name: string): Shape<T> {
  const word = shape.schema["type"] === "array" ? "maxItems" : "maxProperties";
  return {
    schema: { ...shape.schema, [word]: max },
    read(value, report) {
      const count = value.items?.length ?? value.fields?.size ?? 0;
      if (count <= max) return shape.read(value, report);
      report.add(value, `Expected at most ${max} ${name}, got ${count}.`);
      return undefined;
    },
  };
}
