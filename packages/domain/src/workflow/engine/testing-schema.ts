import type { Json } from "../../json.ts";
import type { JsonSchema } from "../definition.ts";

/** As much of JSON Schema as the tests of the engine need: type, properties, required. */
export function validateJson(schema: JsonSchema, value: Json): string[] {
  const { type, properties, required } = schema;
  const actual = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  if (typeof type === "string" && type !== actual) return [`expected ${type}, got ${actual}`];
  if (value === null || typeof value !== "object" || Array.isArray(value)) return [];
  const absent = (Array.isArray(required) ? required : []).filter((key) => !Object.hasOwn(value, String(key)));
  const inner = Object.entries((properties ?? {}) as Record<string, JsonSchema>).flatMap(([key, part]) => {
    const given = value[key];
    return given === undefined ? [] : validateJson(part, given).map((fault) => `${key}: ${fault}`);
  });
  return [...absent.map((key) => `${String(key)} is missing`), ...inner];
}
