import type { Json } from "@drover/domain/json";
import type { JsonSchema } from "@drover/domain/workflow/definition";
import { isObject } from "@drover/document/source/value";

const basic: Readonly<Record<string, JsonSchema>> = {
  str: { type: "string" },
  int: { type: "integer" },
  float: { type: "number" },
  bool: { type: "boolean" },
  list: { type: "array" },
  dict: { type: "object" },
};

export const knownTypes = "str, int, float, bool, list, dict, list[T], dict[K, V] or object with a schema";

/** A type of the format as a JSON Schema; undefined where it is none. The schema of objects gives types by name. */
export function typeSchema(type: string, schema?: Json): JsonSchema | undefined {
  const text = type.trim();
  if (Object.hasOwn(basic, text)) return basic[text];
  if (text === "object") return schema === undefined ? undefined : objectSchema(schema);
  const item = /^list\[(.+)\]$/.exec(text)?.[1];
  if (item !== undefined) {
    const items = typeSchema(item, schema);
    return items && { type: "array", items };
  }
  const [, key, value] = /^dict\[([^,[\]]+),(.+)\]$/.exec(text) ?? [];
  const values = value === undefined ? undefined : typeSchema(value, schema);
  return values !== undefined && /^\s*(str|int)\s*$/.test(key ?? "")
    ? { type: "object", additionalProperties: values }
    : undefined;
}

/** One spelling for each type. */
export function plainType(type: string): string {
  return type.replace(/\s+/g, "");
}

function objectSchema(schema: Json): JsonSchema | undefined {
  if (!isObject(schema)) return undefined;
  const properties: [string, JsonSchema][] = [];
  for (const [name, field] of Object.entries(schema)) {
    const type = isObject(field) ? field["type"] : field;
    const inner =
      typeof type === "string" ? typeSchema(type, isObject(field) ? field["schema"] : undefined) : undefined;
    if (inner === undefined) return undefined;
    properties.push([name, inner]);
  }
  const required = properties.map(([name]) => name);
  return { type: "object", properties: Object.fromEntries(properties), ...(required.length > 0 && { required }) };
}
