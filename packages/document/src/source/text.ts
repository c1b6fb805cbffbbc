import type { Json } from "@drover/domain/json";
import { isAlias, isMap, isScalar, isSeq, type ParsedNode, type Scalar } from "yaml";
import { quote, type Path } from "./fault.ts";
import { maxDepth, maxValues, parseYaml, tooDeep } from "./parse.ts";
import type { Report } from "./report.ts";
import type { Field, Place, Span, Value } from "./value.ts";

/** How large a document may be, in bytes of UTF-8. */
export const maxTextBytes = 1_048_576;

interface Reading {
  readonly text: string;
  /** What was anchored so far: the library's own way to resolve an alias walks the whole document for each. */
  readonly anchors: Map<string, ParsedNode>;
  readonly report: Report;
  /** Aliases are copied out: this is how many values all copies together may have. */
  valuesLeft: number;
}

/** Reads YAML 1.2, and so JSON, into values with their places; what is wrong with it goes into the report. */
export function readText(text: string, report: Report, name = "a document"): Value | undefined {
  const whole: Place = { path: [], span: { start: 0, end: 0 } };
  const bytes = text.length > maxTextBytes ? text.length : new TextEncoder().encode(text).length;
  if (bytes > maxTextBytes) {
    report.add(whole, `Expected a document of at most ${maxTextBytes} bytes, got ${bytes}.`);
    return undefined;
  }
  const document = parseYaml(text, report);
  if (document === undefined) return undefined;
  if (document.contents === null) {
    report.add(whole, `Expected ${name}, got an empty document.`);
    return undefined;
  }
  return convert({ text, anchors: new Map(), report, valuesLeft: maxValues }, document.contents, [], 0);
}

function convert(reading: Reading, node: ParsedNode, path: Path, depth: number): Value | undefined {
  const { report } = reading;
  const place = { path, span: spanOf(node) };
  reading.valuesLeft -= 1;
  if (reading.valuesLeft < 0) {
    if (reading.valuesLeft === -1) report.add(place, `Expected at most ${maxValues} values, aliases copied, got more.`);
    return undefined;
  }
  if (depth > maxDepth) {
    report.add(place, tooDeep);
    return undefined;
  }
  if (isAlias(node)) return convertAlias(reading, node, path, depth);
  if (node.anchor !== undefined) reading.anchors.set(node.anchor, node);
  if (isMap(node)) return convertMap(reading, node, place, depth);
  if (isSeq(node)) {
    const found = node.items.map((item, index) => convert(reading, item, [...path, index], depth + 1));
    const items = found.filter((item) => item !== undefined);
    return items.length < found.length ? undefined : { ...place, json: items.map(({ json }) => json), items };
  }
  return convertScalar(reading, node, place);
}

function convertAlias(
  reading: Reading,
  node: ParsedNode & { source: string },
  path: Path,
  depth: number,
): Value | undefined {
  const target = reading.anchors.get(node.source);
  if (target !== undefined) return convert(reading, target, path, depth + 1);
  reading.report.add({ path, span: spanOf(node) }, `Expected an anchor before its alias, got *${node.source}.`);
  return undefined;
}

function convertMap(reading: Reading, node: ParsedNode, place: Place, depth: number): Value | undefined {
  const fields = new Map<string, Field>();
  let isWhole = true;
  for (const pair of isMap<ParsedNode, ParsedNode | null>(node) ? node.items : []) {
    const name = keyOf(reading, pair.key);
    if (name === undefined) {
      isWhole = false;
      continue;
    }
    const path = [...place.path, name];
    const key = { path, span: spanOf(pair.key) };
    if (fields.has(name)) {
      reading.report.add(key, `Expected each key once, got ${quote(name)} again.`);
      isWhole = false;
      continue;
    }
    const value = pair.value === null ? { ...key, json: null } : convert(reading, pair.value, path, depth + 1);
    if (value === undefined) isWhole = false;
    else fields.set(name, { key, value });
  }
  if (!isWhole) return undefined;
  return { ...place, json: Object.fromEntries([...fields].map(([name, { value }]) => [name, value.json])), fields };
}

function keyOf({ report }: Reading, key: ParsedNode): string | undefined {
  if (!isScalar(key) || key.value === null) {
    report.add({ path: [], span: spanOf(key) }, "Expected a text as key, got another value.");
    return undefined;
  }
  const name = typeof key.value === "string" ? key.value : (key.source ?? JSON.stringify(key.value));
  if (isStorable(name)) return name;
  report.add({ path: [], span: spanOf(key) }, "Expected a key of whole characters without NUL.");
  return undefined;
}

function convertScalar({ text, report }: Reading, node: Scalar.Parsed, place: Place): Value | undefined {
  const json = node.value as Json;
  if (typeof json === "number" && (!Number.isFinite(json) || losesDigits(json, node.source))) {
    report.add(place, `Expected a number that a 64-bit float holds exactly, got ${quote(node.source)}.`, {
      hint: "Write it in quotes where it is a name.",
    });
    return undefined;
  }
  if (typeof json === "string" && !isStorable(json)) {
    report.add(place, "Expected a text of whole characters without NUL.");
    return undefined;
  }
  return typeof json === "string" ? { ...place, json, style: styleOf(text, node, json) } : { ...place, json };
}

function losesDigits(value: number, source: string): boolean {
  return /^[+-]?\d+$/.test(source) && !Number.isSafeInteger(value);
}

/** Postgres stores neither NUL nor half a surrogate pair. */
function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

function styleOf(text: string, node: Scalar.Parsed, json: string): NonNullable<Value["style"]> {
  if (node.type === "BLOCK_LITERAL") return "block";
  const { start, end } = spanOf(node);
  const written = text.slice(start, end);
  if (node.type === "PLAIN") return written === json ? "as-is" : "other";
  return written.slice(1, -1) === json ? "quoted" : "other";
}

function spanOf(node: { range?: readonly [number, number, number] | null | undefined }): Span {
  const [start, end] = node.range ?? [0, 0];
  return { start, end };
}
