import type { Json } from "@drover/domain/json";
import { isObject } from "@drover/document/source/value";
import { keywords } from "./keyword.ts";

const tellOnly = [
  "$schema",
  "$comment",
  "title",
  "description",
  "default",
  "deprecated",
  "readOnly",
  "writeOnly",
  "example",
  "examples",
];

/**
 * A copy of a schema with nothing but what a value is checked by. The library that checks looks for schemas in unknown
 * keywords as well, and takes any `id` there for an address.
 */
export function cleanSchema(schema: Json): Json {
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).flatMap(([word, value]): [string, Json][] => {
    const kind = Object.hasOwn(keywords, word) && !tellOnly.includes(word) ? keywords[word] : undefined;
    if (kind === undefined) return [];
    if (kind === "schema") return [[word, cleanSchema(value)]];
    if (kind === "schemas" && Array.isArray(value)) return [[word, value.map(cleanSchema)]];
    if ((kind === "schemaMap" || kind === "patternMap") && isObject(value)) {
      return [[word, Object.fromEntries(Object.entries(value).map(([name, part]) => [name, cleanSchema(part)]))]];
    }
    return [[word, structuredClone(value)]];
  });
  return Object.fromEntries(entries);
}
