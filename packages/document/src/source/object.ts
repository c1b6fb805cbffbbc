import type { Json } from "@drover/domain/json";
import type { Path } from "./fault.ts";
import type { Report } from "./report.ts";
import { isObject, type Field, type Value } from "./value.ts";

const maxDepth = 100;

/** A JSON value as a document of its own: its faults have a path and no line. */
export function readObject(json: Json, report: Report): Value | undefined {
  return convert(json, [], report);
}

function convert(json: Json, path: Path, report: Report): Value | undefined {
  if (path.length > maxDepth) {
    report.add({ path }, `Expected at most ${maxDepth} levels of lists and objects, got more.`);
    return undefined;
  }
  if (Array.isArray(json)) {
    const items = json.map((item, index) => convert(item, [...path, index], report));
    const whole = items.filter((item) => item !== undefined);
    return whole.length < items.length ? undefined : { path, json, items: whole };
  }
  if (!isObject(json)) return { path, json };
  const fields = new Map<string, Field>();
  for (const [name, item] of Object.entries(json)) {
    const value = convert(item, [...path, name], report);
    if (value === undefined) return undefined;
    fields.set(name, { key: { path: value.path }, value });
  }
  return { path, json, fields };
}
