import type { Json } from "@drover/domain/json";
import type { Path } from "./fault.ts";

/** A stretch of the text, in UTF-16 units. */
export interface Span {
  start: number;
  end: number;
}

/** A place in a document; without a span where the document never was a text. */
export interface Place {
  path: Path;
  span?: Span;
}

/** A value of a document with the places of everything inside. */
export interface Value extends Place {
  json: Json;
  /** Of objects, in order. */
  fields?: ReadonlyMap<string, Field>;
  /** Of lists. */
  items?: readonly Value[];
  /** How a text is written, which says where its characters stand. */
  style?: "as-is" | "quoted" | "block" | "other";
}

export interface Field {
  key: Place;
  value: Value;
}

/** The kind of a value, with the value itself where it is short. */
export function describe(json: Json | undefined): string {
  if (json === undefined) return "nothing";
  if (json === null) return "null";
  if (Array.isArray(json)) return json.length === 0 ? "an empty list" : "a list";
  if (typeof json === "object") return "an object";
  const text = JSON.stringify(json);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** The field of an object; undefined where there is none or null stands there. */
export function fieldOf(value: Value | undefined, name: string): Value | undefined {
  const field = value?.fields?.get(name)?.value;
  return field === undefined || field.json === null ? undefined : field;
}

/** Whether a JSON value is an object. */
export function isObject(json: Json | undefined): json is { [key: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** What the items of a list call themselves, those that are broken elsewhere included. */
export function namesOf(list: Value | undefined, key: string): Set<string> {
  const names = (list?.items ?? []).map((item) => fieldOf(item, key)?.json);
  return new Set(names.filter((name) => typeof name === "string"));
}
