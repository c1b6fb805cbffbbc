import type { Json } from "@drover/domain/json";
import type { JsonSchema } from "@drover/domain/workflow/definition";
import { schemaFaults } from "../check/schema.ts";
import { quote, suggest } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { isObject, type Value } from "@drover/document/source/value";
import { validateJson } from "../validate.ts";
import { refuse, type Shape } from "@drover/document/shape/shape";
import { within } from "./template.ts";

/** Types of the short form, and what they are in JSON Schema. */
const shortTypes: Readonly<Record<string, JsonSchema>> = {
  text: { type: "string" },
  string: { type: "string" },
  number: { type: "number" },
  integer: { type: "integer" },
  boolean: { type: "boolean" },
  list: { type: "array" },
  object: { type: "object" },
  any: {},
};

const schemaWords = ["$schema", "$ref", "properties", "required", "additionalProperties", "allOf", "anyOf", "oneOf"];

/**
 * A JSON Schema, or its short form: `{documents: list, threshold: number = 0.5, note: text?}`.
 * Properties of the short form must be there unless they have a default or a question mark, and no others may.
 */
export function jsonSchema(): Shape<JsonSchema> {
  return {
    schema: {
      type: "object",
      description: "A JSON Schema, or short: {documents: list, threshold: number = 0.5, note: text?, tags: list[text]}",
    },
    read(value, report) {
      if (value.fields === undefined) return refuse(value, report, "a JSON Schema or names with types (an object)");
      return isLong(value) ? readLong(value, report) : readShort(value, report);
    },
  };
}

/** Whether it is JSON Schema itself: by a keyword that no short form starts with. */
function isLong({ json, fields }: Value): boolean {
  if (!isObject(json) || fields === undefined || fields.size === 0) return true;
  if (schemaWords.some((word) => isObject(json[word]) || Array.isArray(json[word]) || typeof json[word] === "boolean"))
    return true;
  if (typeof json["$schema"] === "string" || typeof json["$ref"] === "string" || Array.isArray(json["type"]))
    return true;
  return json["type"] === "object" || json["type"] === "array" || (isPlainType(json["type"]) && fields.size === 1);
}

function isPlainType(type: Json | undefined): boolean {
  return type === "string" || type === "number" || type === "integer" || type === "boolean";
}

function readLong(value: Value, report: Report): JsonSchema | undefined {
  const faults = schemaFaults(value.json);
  for (const { at, message } of faults) report.add(within(value, at), message);
  return faults.length > 0 || !isObject(value.json) ? undefined : value.json;
}

function readShort(value: Value, report: Report): JsonSchema | undefined {
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  let isWhole = true;
  for (const [name, { value: field }] of value.fields ?? []) {
    const found = field.fields === undefined ? readType(field, report) : readProperty(field, report);
    if (found === undefined) {
      isWhole = false;
      continue;
    }
    properties[name] = found.schema;
    if (found.isRequired) required.push(name);
  }
  if (!isWhole) return undefined;
  return { type: "object", properties, ...(required.length > 0 && { required }), additionalProperties: false };
}

interface Property {
  schema: JsonSchema;
  isRequired: boolean;
}

function readProperty(value: Value, report: Report): Property | undefined {
  const schema = readLong(value, report);
  return schema && { schema, isRequired: schema["default"] === undefined };
}

function readType(value: Value, report: Report): Property | undefined {
  const text = typeof value.json === "string" ? value.json.trim() : "";
  const [, type = "", item, optional, given] = /^(\w+)(?:\[(\w+)\])?(\?)?(?:\s*=\s*([^]*))?$/.exec(text) ?? [];
  const base = Object.hasOwn(shortTypes, type) ? shortTypes[type] : undefined;
  const inner = item !== undefined && Object.hasOwn(shortTypes, item) ? shortTypes[item] : undefined;
  if (base === undefined || (item !== undefined && (inner === undefined || type !== "list"))) {
    const { hint } = suggest(item ?? type, Object.keys(shortTypes));
    const expected = 'a type, such as "text", "list[number]", "text?" or "number = 0.5"';
    return refuse(value, report, expected, hint);
  }
  const schema: JsonSchema = { ...base, ...(inner && { items: inner }) };
  if (given === undefined) return { schema, isRequired: optional === undefined };
  const fallback = readDefault(given, schema["type"]);
  const [wrong] = validateJson(schema, fallback);
  if (wrong !== undefined) return refuse(value, report, `a default of type ${quote(text.split("=")[0]?.trim() ?? "")}`);
  return { schema: { ...schema, default: fallback }, isRequired: false };
}

/** JSON where it is some; a text needs no quotes. */
function readDefault(text: string, type: Json | undefined): Json {
  try {
    const json = JSON.parse(text) as Json;
    return type === "string" && typeof json !== "string" ? text : json;
  } catch {
    return text;
  }
}
