import { quote, similarTo, suggest } from "../source/fault.ts";
import type { Report } from "../source/report.ts";
import type { Value } from "../source/value.ts";
import { refuse, type Read, type Shape } from "./shape.ts";

type Shapes = Record<string, Shape<unknown>>;
// eslint-disable-next-line typescript/no-generated-empty-object-type -- nothing is what a record has by default
type NoShapes = Record<never, never>;
type Required<R> = { [K in keyof R]: Read<R[K]> };
type Optional<O> = { [K in keyof O]?: Read<O[K]> };
export type RecordOf<R, O> = Required<R> & Optional<O>;

export interface RecordRule<R extends Shapes, O extends Shapes> {
  /** What it is, for messages: "a step". */
  name: string;
  required?: R;
  optional?: O;
  /** Whether null stands for nothing, as None does. */
  hasNulls?: boolean;
  /** Whether other keys are let through unread. */
  isOpen?: boolean;
  /** What to say of keys that are known and not built. */
  refused?: Readonly<Record<string, string>>;
}

/** An object with known keys. What is optional and broken is reported and left out. */
export function record<R extends Shapes = NoShapes, O extends Shapes = NoShapes>(
  rule: RecordRule<R, O>,
): Shape<RecordOf<R, O>> {
  const { required = {} as R, optional = {} as O, isOpen = false } = rule;
  const shapes: Shapes = { ...required, ...optional };
  return {
    schema: {
      type: "object",
      properties: Object.fromEntries(Object.entries(shapes).map(([key, { schema }]) => [key, schema])),
      ...(Object.keys(required).length > 0 && { required: Object.keys(required) }),
      ...(isOpen ? {} : { additionalProperties: false }),
    },
    read(value, report) {
      const fields = fieldsOf(value, report, rule.name);
      if (fields === undefined) return undefined;
      const meant = isOpen ? [] : refuseUnknown(value, report, Object.keys(shapes), rule);
      const entries: [string, unknown][] = [];
      for (const [key, shape] of Object.entries(shapes)) {
        const field = fields.get(key)?.value;
        if (field === undefined || (rule.hasNulls === true && field.json === null)) continue;
        const read = shape.read(field, report);
        if (read !== undefined) entries.push([key, read]);
        else if (key in required) entries.push([key, broken]);
      }
      const needed = { required: Object.keys(required), meant, name: rule.name };
      return complete(Object.fromEntries(entries), value, report, needed) as RecordOf<R, O> | undefined;
    },
  };
}

/** A list, each item of one shape; broken items are reported and left out. */
export function list<T>(
  shape: Shape<T>,
  { min = 0, name = "a list" }: { min?: number; name?: string } = {},
): Shape<T[]> {
  return {
    schema: { type: "array", items: shape.schema, ...(min > 0 && { minItems: min }) },
    read(value, report) {
      if (value.items === undefined) return refuse(value, report, name);
      if (value.items.length < min) return refuse(value, report, `${name} of at least ${min}`);
      return value.items.map((item) => shape.read(item, report)).filter((item) => item !== undefined);
    },
  };
}

/** An object whose keys are names of the user's; broken values are reported and left out. */
export function named<T>(
  shape: Shape<T>,
  { name = "an object", key }: { name?: string; key?: { pattern: RegExp; expected: string } } = {},
): Shape<Map<string, T>> {
  return {
    schema: {
      type: "object",
      additionalProperties: shape.schema,
      ...(key && { propertyNames: { pattern: key.pattern.source } }),
    },
    read(value, report) {
      const fields = fieldsOf(value, report, name);
      if (fields === undefined) return undefined;
      const entries = new Map<string, T>();
      for (const [word, field] of fields) {
        if (key !== undefined && !key.pattern.test(word)) {
          report.add(field.key, `Expected ${key.expected}, got ${quote(word)}.`);
          continue;
        }
        const read = shape.read(field.value, report);
        if (read !== undefined) entries.set(word, read);
      }
      return entries;
    },
  };
}

/** One shape or the other, by the kind of JSON that stands there. */
export function byKind<T>(shapes: Partial<Record<"text" | "number" | "flag" | "list" | "object", Shape<T>>>): Shape<T> {
  const kinds = Object.keys(shapes).map((kind) => `${kind === "object" ? "an" : "a"} ${kind}`);
  return {
    schema: { anyOf: Object.values(shapes).map(({ schema }) => schema) },
    read(value, report) {
      const kind = kindOf(value);
      const shape = kind === "null" ? undefined : shapes[kind];
      return shape === undefined ? refuse(value, report, kinds.join(" or ")) : shape.read(value, report);
    },
  };
}

/** A shape that is used inside itself; editors find it under its name. */
export function recursive<T>(name: string, shape: () => Shape<T>): Shape<T> {
  return { schema: { $ref: `#/$defs/${name}` }, read: (value, report) => shape().read(value, report) };
}

const broken = Symbol("broken");

function fieldsOf(value: Value, report: Report, name: string): Value["fields"] {
  return value.fields ?? refuse(value, report, name === "an object" ? name : `${name} (an object)`);
}

/** Answers which keys were meant by those that are misspelt. */
function refuseUnknown(
  { fields }: Value,
  report: Report,
  known: readonly string[],
  { name, refused = {} }: { name: string; refused?: Readonly<Record<string, string>> },
): string[] {
  const meant: string[] = [];
  for (const [key, field] of fields ?? []) {
    if (known.includes(key)) continue;
    const why = Object.hasOwn(refused, key) ? refused[key] : undefined;
    if (why !== undefined)
      report.add(field.key, `${quote(key)} is not built: ${why}`, { hint: `Take ${quote(key)} out.` });
    else {
      report.add(field.key, `Expected a key of ${name}, got ${quote(key)}.`, () => suggest(key, known));
      const similar = similarTo(key, known);
      if (similar !== undefined) meant.push(similar);
    }
  }
  return meant;
}

interface Needed {
  required: readonly string[];
  /** Those that a misspelt key stands for: one fault for one slip. */
  meant: readonly string[];
  name: string;
}

/** Required keys must be there, whole or broken; nothing comes of a record with a broken one. */
function complete(
  entries: Record<string, unknown>,
  value: Value,
  report: Report,
  { required, meant, name }: Needed,
): Record<string, unknown> | undefined {
  const missing = required.filter((key) => !Object.hasOwn(entries, key));
  for (const key of missing.filter((one) => !meant.includes(one)))
    report.add(startOf(value), `Expected ${quote(key)} in ${name}, got nothing.`);
  return missing.length > 0 || Object.values(entries).includes(broken) ? undefined : entries;
}

/** The first key stands for an object that would take many lines to mark. */
function startOf(value: Value): Pick<Value, "path" | "span"> {
  const [first] = value.fields?.values() ?? [];
  const span = first?.key.span ?? value.span;
  return { path: value.path, ...(span && { span }) };
}

function kindOf(value: Value): "text" | "number" | "flag" | "list" | "object" | "null" {
  if (value.fields !== undefined) return "object";
  if (value.items !== undefined) return "list";
  const kinds = { string: "text", number: "number", boolean: "flag" } as const;
  const type = typeof value.json;
  return type === "string" || type === "number" || type === "boolean" ? kinds[type] : "null";
}
