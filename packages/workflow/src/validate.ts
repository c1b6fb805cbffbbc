import { Validator, type OutputUnit } from "@cfworker/json-schema";
import type { Json } from "@drover/domain/json";
import type { JsonSchema } from "@drover/domain/workflow/definition";
import { cleanSchema } from "./check/clean.ts";
import { patternCost } from "./check/pattern.ts";
import { resolveLocal, schemaFaults } from "./check/schema.ts";
import { printPath } from "@drover/document/source/fault";
import { isObject } from "@drover/document/source/value";

interface Compiled {
  validator: Validator;
  faults: readonly string[];
}

const compiled = new WeakMap<JsonSchema, Compiled>();
const maxDepth = 500;
const maxFaults = 20;
/** How many steps all patterns together may take on one value: some tens of milliseconds. */
const maxPatternSteps = 30_000_000;
const formatCost = { factor: 4, power: 2 };

/** What is wrong with a value by a JSON Schema, as sentences that begin with the path; nothing where it fits. */
export function validateJson(schema: JsonSchema, value: Json): string[] {
  const { validator, faults } = compile(schema);
  if (faults.length > 0) return [...faults];
  const budget = { steps: maxPatternSteps };
  const cost = spend(schema, schema, value, budget, 0);
  if (cost !== undefined) return [cost];
  const { valid, errors } = validator.validate(value);
  if (valid) return [];
  const told = innermost(errors).map(({ instanceLocation, error }) => sentence(instanceLocation, error, value));
  return [...new Set(told)].slice(0, maxFaults);
}

/** Fills in the defaults of properties that are absent, at every level that `properties` names. */
export function withDefaults(schema: JsonSchema, value: Json): Json {
  const { properties, items } = schema;
  if (Array.isArray(value)) return isObject(items) ? value.map((item) => withDefaults(items, item)) : value;
  if (!isObject(value) || !isObject(properties)) return value;
  const filled = Object.entries(properties).flatMap(([name, property]): [string, Json][] => {
    if (!isObject(property)) return [];
    const given = Object.hasOwn(value, name) ? value[name] : property["default"];
    return given === undefined ? [] : [[name, withDefaults(property, given)]];
  });
  return { ...value, ...Object.fromEntries(filled) };
}

function compile(schema: JsonSchema): Compiled {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const wrong = schemaFaults(schema).map(({ at, message }) => `${printPath(["schema", ...at])}: ${message}`);
  // A copy, because the library writes into the schema, which is not ours.
  const own = wrong.length > 0 ? {} : (cleanSchema(schema) as JsonSchema);
  const made = { validator: new Validator(own, "2020-12", false), faults: wrong };
  compiled.set(schema, made);
  return made;
}

/** Takes the cost of all patterns that the value will meet from the budget; a sentence where it is not enough. */
function spend(
  root: Json,
  schema: Json | undefined,
  value: Json,
  budget: { steps: number },
  depth: number,
): string | undefined {
  if (depth > maxDepth) return `Expected a value of at most ${maxDepth} levels, got more.`;
  if (!isObject(schema)) return undefined;
  const { pattern, format, $ref } = schema;
  if (typeof value === "string") {
    if (typeof pattern === "string") take(budget, pattern, value.length);
    if (typeof format === "string") budget.steps -= formatCost.factor * value.length ** formatCost.power;
  }
  if (schema["uniqueItems"] === true && Array.isArray(value)) budget.steps -= value.length ** 2;
  if (budget.steps < 0)
    return `Expected shorter texts and lists where the schema has a pattern, a format or uniqueItems, got too much to check.`;
  if (typeof $ref === "string") {
    const fault = spend(root, resolveLocal(root, $ref), value, budget, depth + 1);
    if (fault !== undefined) return fault;
  }
  for (const [part, item] of partsOf(schema, value, budget)) {
    const fault = spend(root, part, item, budget, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function take(budget: { steps: number }, pattern: string, length: number): void {
  const cost = patternCost(pattern);
  if (!("fault" in cost)) budget.steps -= cost.factor * Math.max(1, length) ** cost.power;
}

/** Each part of a schema with the part of the value that it will be asked about. */
function* partsOf(schema: JsonSchema, value: Json, budget: { steps: number }): Generator<[Json, Json]> {
  for (const word of ["not", "if", "then", "else"]) if (schema[word] !== undefined) yield [schema[word], value];
  for (const word of ["allOf", "anyOf", "oneOf"]) {
    const parts = schema[word];
    if (Array.isArray(parts)) for (const part of parts) yield [part, value];
  }
  if (isObject(schema["dependentSchemas"]))
    for (const part of Object.values(schema["dependentSchemas"])) yield [part, value];
  if (Array.isArray(value)) yield* itemParts(schema, value);
  else if (isObject(value)) yield* propertyParts(schema, value, budget);
}

function* itemParts(schema: JsonSchema, value: Json[]): Generator<[Json, Json]> {
  const { prefixItems } = schema;
  for (const [index, item] of value.entries()) {
    const prefix = Array.isArray(prefixItems) ? prefixItems[index] : undefined;
    if (prefix !== undefined) yield [prefix, item];
    for (const word of ["items", "contains", "unevaluatedItems"])
      if (schema[word] !== undefined) yield [schema[word], item];
  }
}

function* propertyParts(
  schema: JsonSchema,
  value: { [key: string]: Json },
  budget: { steps: number },
): Generator<[Json, Json]> {
  const { properties, patternProperties, propertyNames } = schema;
  const patterns = isObject(patternProperties) ? Object.entries(patternProperties) : [];
  for (const [name, item] of Object.entries(value)) {
    if (propertyNames !== undefined) yield [propertyNames, name];
    if (isObject(properties) && Object.hasOwn(properties, name)) yield [properties[name] ?? true, item];
    for (const [pattern, part] of patterns) {
      take(budget, pattern, name.length);
      yield [part, item];
    }
    for (const word of ["additionalProperties", "unevaluatedProperties"])
      if (schema[word] !== undefined) yield [schema[word], item];
  }
}

/** Where a part of a value is wrong, its containers are said to be wrong as well: only the innermost is told. */
function innermost(errors: readonly OutputUnit[]): OutputUnit[] {
  const told = errors.slice(0, 300).filter(({ keyword }) => keyword !== "false");
  const isContainer = ({ keywordLocation }: OutputUnit) =>
    told.some((other) => other.keywordLocation.startsWith(`${keywordLocation}/`));
  const leaves = told.filter((unit) => !isContainer(unit));
  return leaves.length > 0 ? leaves : errors.slice(0, 1);
}

/** The library's words, with the path as we write it. */
function sentence(location: string, error: string, value: Json): string {
  const keys = location
    .replace(/^#\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  let at: Json | undefined = value;
  const path = keys.map((key) => {
    const isIndex = Array.isArray(at);
    at = Array.isArray(at) ? at[Number(key)] : isObject(at) ? at[key] : undefined;
    return isIndex ? Number(key) : key;
  });
  const words = error
    .replace(/^Instance type "(\w+)" is invalid\. Expected (.*)\.$/, "Expected $2, got $1.")
    .replace(/^(Property "[^]*") does not match (?:additional|unevaluated) properties schema\.$/, "$1 is not expected.")
    .replace(/^False boolean schema\.$/, "Nothing is expected here.")
    .replace(/^Instance /, "It ");
  return `${path.length === 0 ? "The value" : printPath(path)}: ${words}`;
}
