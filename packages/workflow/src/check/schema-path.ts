import type { Json } from "@drover/domain/json";
import type { JsonSchema } from "@drover/domain/workflow/definition";
import { quote, suggest } from "@drover/document/source/fault";
import { isObject } from "@drover/document/source/value";
import { resolveLocal } from "./schema.ts";

const open = ["allOf", "anyOf", "oneOf", "if", "patternProperties"];

/** Why a path leads nowhere in what a schema describes; undefined where it may lead somewhere. */
export function pathFault(
  schema: JsonSchema,
  path: readonly (string | number)[],
): { message: string; hint?: string } | undefined {
  let at: Json | undefined = schema;
  for (const [place, key] of path.entries()) {
    at = deref(schema, at);
    if (!isObject(at) || open.some((word) => isObject(at) && at[word] !== undefined)) return undefined;
    const kind = typeof key === "number" ? "array" : "object";
    if (!mayBe(at["type"], kind)) {
      const whole = place === 0 ? "it" : quote(String(path[place - 1]));
      return { message: `${whole} is of type ${JSON.stringify(at["type"])}, which has no ${JSON.stringify(key)}` };
    }
    if (typeof key === "number") {
      at = itemOf(at, key);
      continue;
    }
    const { properties, additionalProperties } = at;
    if (!isObject(properties)) return undefined;
    if (Object.hasOwn(properties, key)) at = properties[key];
    else if (additionalProperties !== undefined && additionalProperties !== false) at = additionalProperties;
    else {
      const known = Object.keys(properties);
      const words = known.length === 0 ? "there are none" : `got ${quote(key)}`;
      return { message: `expected one of its properties, ${words}`, ...suggest(key, known) };
    }
  }
  return undefined;
}

function deref(root: JsonSchema, at: Json | undefined): Json | undefined {
  let found = at;
  for (let hops = 0; hops < 20 && isObject(found) && typeof found["$ref"] === "string"; hops++) {
    found = resolveLocal(root, found["$ref"]);
  }
  return found;
}

function itemOf(schema: { [key: string]: Json }, index: number): Json | undefined {
  const { prefixItems, items } = schema;
  return (Array.isArray(prefixItems) ? prefixItems[index] : undefined) ?? items;
}

function mayBe(type: Json | undefined, kind: string): boolean {
  return type === undefined || type === kind || (Array.isArray(type) && type.includes(kind));
}
