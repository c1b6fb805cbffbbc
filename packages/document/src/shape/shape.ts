import type { Json } from "@drover/domain/json";
import type { JsonSchema } from "@drover/domain/workflow/definition";
import { eitherOf, quote, suggest } from "../source/fault.ts";
import type { Report } from "../source/report.ts";
import { describe, type Value } from "../source/value.ts";

/**
 * What a part of a document must look like: reads it, and says it to editors as a JSON Schema. Each format is a table
 * of shapes. `undefined` means that what is wrong has been reported.
 */
export interface Shape<T> {
  read(value: Value, report: Report): T | undefined;
  schema: JsonSchema;
}

/** What a shape makes. */
export type Read<S> = S extends Shape<infer T> ? T : never;

/** A value together with where it stands. */
export interface Placed<T> {
  value: T;
  at: Value;
}

/** Reports that something else was expected. */
export function refuse(value: Value, report: Report, expected: string, hint?: string): undefined {
  report.add(value, `Expected ${expected}, got ${describe(value.json)}.`, hint === undefined ? {} : { hint });
}

/** A text: not blank, unless it may be. */
export function text({
  max = 1_000_000,
  blank = false,
  expected = "a text",
  pattern,
  hint,
}: TextRule = {}): Shape<string> {
  const schema = { type: "string", ...(blank ? {} : { minLength: 1 }), ...(pattern && { pattern: pattern.source }) };
  return {
    schema,
    read(value, report) {
      const { json } = value;
      if (typeof json !== "string") return refuse(value, report, expected, textHint(json) ?? hint);
      const isRight = (blank || json.trim() !== "") && json.length <= max && (pattern?.test(json) ?? true);
      if (isRight) return json;
      return refuse(value, report, json.length > max ? `${expected} of at most ${max} characters` : expected, hint);
    },
  };
}

interface TextRule {
  max?: number;
  blank?: boolean;
  expected?: string;
  pattern?: RegExp;
  hint?: string;
}

/** One of a few words. */
export function word<const W extends string>(words: readonly W[]): Shape<W> {
  return {
    schema: { enum: [...words] },
    read(value, report) {
      const found = words.find((known) => known === value.json);
      if (found !== undefined) return found;
      const { hint } = typeof value.json === "string" ? suggest(value.json, words) : {};
      return refuse(value, report, eitherOf(words.map(quote)), hint?.startsWith("Did") === true ? hint : undefined);
    },
  };
}

/** True or false. */
export function flag(): Shape<boolean> {
  return {
    schema: { type: "boolean" },
    read: (value, report) => (typeof value.json === "boolean" ? value.json : refuse(value, report, "true or false")),
  };
}

/** A number within its bounds. */
export function number({ min, max, above, whole = false }: NumberRule = {}): Shape<number> {
  const low = above === undefined ? min : above;
  const range =
    low === undefined
      ? max === undefined
        ? ""
        : ` up to ${max}`
      : ` ${above === undefined ? "from" : "above"} ${low}`;
  const expected = `a ${whole ? "whole " : ""}number${range}${low !== undefined && max !== undefined ? ` to ${max}` : ""}`;
  return {
    schema: {
      type: whole ? "integer" : "number",
      ...(min === undefined ? {} : { minimum: min }),
      ...(max === undefined ? {} : { maximum: max }),
      ...(above === undefined ? {} : { exclusiveMinimum: above }),
    },
    read(value, report) {
      const { json } = value;
      if (typeof json !== "number" || (whole && !Number.isSafeInteger(json))) return refuse(value, report, expected);
      const isRight = json >= (min ?? -Infinity) && json <= (max ?? Infinity) && (above === undefined || json > above);
      return isRight ? json : refuse(value, report, expected);
    },
  };
}

interface NumberRule {
  min?: number;
  max?: number;
  above?: number;
  whole?: boolean;
}

/** Any JSON at all. */
export function anything(): Shape<Json> {
  return { schema: {}, read: ({ json }) => json };
}

/** Keeps the place with the value, for checks that need to know more than the value. */
export function placed<T>(shape: Shape<T>): Shape<Placed<T>> {
  return {
    schema: shape.schema,
    read(at, report) {
      const value = shape.read(at, report);
      return value === undefined ? undefined : { value, at };
    },
  };
}

/** Adds what editors show. */
export function documented<T>(shape: Shape<T>, description: string): Shape<T> {
  return { ...shape, schema: { ...shape.schema, description } };
}

/** Changes what was read; `undefined` only where the change reported a fault. */
export function mapped<T, U>(shape: Shape<T>, change: (read: T, at: Value, report: Report) => U | undefined): Shape<U> {
  return {
    schema: shape.schema,
    read(value, report) {
      const read = shape.read(value, report);
      return read === undefined ? undefined : change(read, value, report);
    },
  };
}

function textHint(json: Json): string | undefined {
  return typeof json === "number" || typeof json === "boolean" ? "Write it in quotes." : undefined;
}
