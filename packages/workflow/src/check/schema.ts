import type { Json } from "@drover/domain/json";
import { findSimilar } from "@drover/domain/similar";
import { isObject } from "@drover/document/source/value";
import { cleanSchema } from "./clean.ts";
import { keywords, typeNames, type KeywordKind } from "./keyword.ts";
import { patternCost } from "./pattern.ts";

/** What is wrong with a JSON Schema, and the way to it inside the schema. */
export interface SchemaFault {
  at: (string | number)[];
  message: string;
}

interface Check {
  readonly root: Json;
  readonly faults: SchemaFault[];
}

/** Everything that is wrong with a JSON Schema (draft 2020-12; references only inside of it). */
export function schemaFaults(schema: Json): SchemaFault[] {
  const check: Check = { root: cleanSchema(schema), faults: [] };
  visit(check, schema, []);
  if (check.faults.length === 0 && refersToItself(schema)) {
    check.faults.push({ at: [], message: "Expected a schema that ends, got one whose $ref leads back to itself." });
  }
  return check.faults;
}

const addresses = [
  "$id",
  "$anchor",
  "$dynamicRef",
  "$dynamicAnchor",
  "$recursiveRef",
  "$recursiveAnchor",
  "$vocabulary",
];

/** What a local reference points to; undefined where there is nothing. */
export function resolveLocal(root: Json, ref: string): Json | undefined {
  if (ref === "#") return root;
  if (!ref.startsWith("#/")) return undefined;
  return ref
    .slice(2)
    .split("/")
    .map((part) => decode(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<Json | undefined>((at, key) => {
      if (Array.isArray(at)) return at[Number(key)];
      return isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
    }, root);
}

function visit(check: Check, schema: Json | undefined, at: (string | number)[]): void {
  if (typeof schema === "boolean") return;
  if (!isObject(schema)) return fault(check, at, "a schema (an object, true or false)", schema);
  for (const [word, value] of Object.entries(schema)) {
    const kind = Object.hasOwn(keywords, word) ? keywords[word] : undefined;
    if (kind !== undefined) visitKeyword(check, kind, value, [...at, word]);
    else if (addresses.includes(word)) fault(check, [...at, word], "a schema without addresses of its own", word);
    else if (!word.startsWith("x-")) refuseTypo(check, word, [...at, word]);
  }
}

/** Schemas may hold words of their own, but one that is nearly a keyword was meant to be it. */
function refuseTypo(check: Check, word: string, at: (string | number)[]): void {
  const meant = word.length > 40 ? undefined : findSimilar(word, Object.keys(keywords));
  if (meant !== undefined)
    check.faults.push({ at, message: `Expected a keyword of JSON Schema, got "${word}". Did you mean "${meant}"?` });
}

function visitKeyword(check: Check, kind: KeywordKind, value: Json, at: (string | number)[]): void {
  switch (kind) {
    case "any":
      return;
    case "schema":
      return visit(check, value, at);
    case "schemas":
      if (!Array.isArray(value) || value.length === 0) return fault(check, at, "a list of schemas", value);
      return value.forEach((item, index) => visit(check, item, [...at, index]));
    case "schemaMap":
    case "patternMap":
      if (!isObject(value)) return fault(check, at, "an object of schemas", value);
      for (const [name, item] of Object.entries(value)) {
        if (kind === "patternMap") visitPattern(check, name, [...at, name]);
        visit(check, item, [...at, name]);
      }
      return;
    case "type":
      return visitType(check, value, at);
    case "pattern":
      return visitPattern(check, value, at);
    case "ref":
      if (typeof value === "string" && resolveLocal(check.root, value) !== undefined) return;
      return fault(check, at, "a reference to a part of this schema, such as #/$defs/name", value);
    default:
      if (!fits(kind, value)) fault(check, at, expectations[kind], value);
  }
}

function visitType(check: Check, value: Json, at: (string | number)[]): void {
  const names = Array.isArray(value) ? value : [value];
  const wrong = names.find((name) => typeof name !== "string" || !typeNames.includes(name));
  if (wrong === undefined && names.length > 0) return;
  const meant = typeof wrong === "string" ? (typeAliases[wrong] ?? findSimilar(wrong, typeNames)) : undefined;
  const hint = meant === undefined ? "" : ` Did you mean "${meant}"?`;
  check.faults.push({ at, message: `Expected one of ${typeNames.join(", ")}, got ${JSON.stringify(wrong)}.${hint}` });
}

function visitPattern(check: Check, value: Json, at: (string | number)[]): void {
  const cost = typeof value === "string" ? patternCost(value) : { fault: "expected a text" };
  if ("fault" in cost) check.faults.push({ at, message: `${cost.fault[0]?.toUpperCase()}${cost.fault.slice(1)}.` });
}

type Plain = Exclude<
  KeywordKind,
  "any" | "schema" | "schemas" | "schemaMap" | "patternMap" | "type" | "pattern" | "ref"
>;

const expectations: Record<Plain, string> = {
  texts: "a list of different texts",
  text: "a text",
  count: "a whole number from 0",
  positive: "a number above 0",
  number: "a number",
  flag: "true or false",
  values: "a list of at least one value",
  textsMap: "an object of lists of texts",
};

const typeAliases: Readonly<Record<string, string>> = {
  str: "string",
  text: "string",
  int: "integer",
  float: "number",
  bool: "boolean",
  list: "array",
  dict: "object",
  map: "object",
  None: "null",
};

function fits(kind: Plain, value: Json): boolean {
  switch (kind) {
    case "texts":
      return isTexts(value) && new Set(value).size === value.length;
    case "text":
      return typeof value === "string";
    case "count":
      return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
    case "positive":
      return typeof value === "number" && value > 0;
    case "number":
      return typeof value === "number";
    case "flag":
      return typeof value === "boolean";
    case "values":
      return Array.isArray(value) && value.length > 0;
    case "textsMap":
      return isObject(value) && Object.values(value).every(isTexts);
  }
}

function isTexts(value: Json): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function fault(check: Check, at: (string | number)[], expected: string, got: Json | undefined): void {
  const text = JSON.stringify(got) ?? "nothing";
  check.faults.push({ at, message: `Expected ${expected}, got ${text.length > 60 ? `${text.slice(0, 60)}…` : text}.` });
}

const inPlace = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"];

/** Whether validation could go in a circle without going deeper into the value. */
function refersToItself(root: Json): boolean {
  const state = new Map<Json, "open" | "done">();
  const walk = (schema: Json | undefined): boolean => {
    if (!isObject(schema) || state.get(schema) === "done") return false;
    if (state.get(schema) === "open") return true;
    state.set(schema, "open");
    const { $ref } = schema;
    const next = inPlace.flatMap((word) => inside(schema[word], word));
    const isCircle = [...next, ...(typeof $ref === "string" ? [resolveLocal(root, $ref)] : [])].some(walk);
    state.set(schema, "done");
    return isCircle;
  };
  const everywhere = (schema: Json | undefined): boolean =>
    walk(schema) ||
    (isObject(schema) && Object.entries(schema).some(([word, value]) => inside(value, word).some(everywhere)));
  return everywhere(root);
}

function inside(value: Json | undefined, word: string): Json[] {
  const kind = Object.hasOwn(keywords, word) ? keywords[word] : undefined;
  if (value === undefined || kind === undefined) return [];
  if (kind === "schema") return [value];
  if (kind === "schemas") return Array.isArray(value) ? value : [];
  return (kind === "schemaMap" || kind === "patternMap") && isObject(value) ? Object.values(value) : [];
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
