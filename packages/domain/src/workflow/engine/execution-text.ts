import type { Json } from "../../json.ts";

/** A rendered execution in which every text of the template is a text again: commands and variables know no other type. */
export function keepTexts(template: Json, value: Json): Json {
  if (typeof template === "string") return typeof value === "string" ? value : JSON.stringify(value);
  if (Array.isArray(template) && Array.isArray(value)) {
    return value.map((item, place) => keepTexts(template[place] ?? null, item));
  }
  if (isObject(template) && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, keepTexts(template[key] ?? null, part)]),
    );
  }
  return value;
}

function isObject(value: Json): value is { [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
