import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { createContextKey } from "@connectrpc/connect";
import type { Json } from "@drover/domain/json";
import { findSimilar } from "@drover/domain/similar";
import type { FieldFault } from "./validate.ts";

/** The body of a JSON request as it came; undefined: it is none, or too long to be looked at again. */
export const requestText = createContextKey<() => string | undefined>(() => undefined, {
  description: "JSON of the request",
});

/**
 * Keys of a JSON request that its contract does not have. They are no fault by themselves, since newer clients may send
 * them: they are told where a request is refused for something else, which is then often the key that was meant.
 */
export function unknownFields(schema: DescMessage, text: string | undefined): FieldFault[] {
  if (text === undefined) return [];
  try {
    return [...unknownIn(schema, JSON.parse(text) as Json, "")].slice(0, most);
  } catch {
    return [];
  }
}

const most = 20;

function* unknownIn(schema: DescMessage, value: Json, path: string): Generator<FieldFault> {
  // Timestamps, durations and the like have a JSON of their own.
  if (!isObject(value) || schema.typeName.startsWith("google.protobuf.")) return;
  for (const [key, inner] of Object.entries(value)) {
    const field = schema.fields.find(({ name, jsonName }) => key === name || key === jsonName);
    if (field === undefined) yield { field: path + key, message: unknownText(schema, key) };
    else yield* unknownBelow(field, inner, `${path}${field.name}`);
  }
}

function* unknownBelow(field: DescField, value: Json, path: string): Generator<FieldFault> {
  const { message } = field;
  if (message === undefined) return;
  if (field.fieldKind === "list" && Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* unknownIn(message, item, `${path}[${index}].`);
  } else if (field.fieldKind === "map" && isObject(value)) {
    for (const [key, item] of Object.entries(value)) yield* unknownIn(message, item, `${path}["${key}"].`);
  } else yield* unknownIn(message, value, `${path}.`);
}

function unknownText({ name, fields }: DescMessage, key: string): string {
  const similar = findSimilar(
    key,
    fields.map((field) => field.jsonName),
  );
  return `is no field of ${name}${similar === undefined ? "" : `: did you mean "${similar}"?`}`;
}

function isObject(value: Json): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
