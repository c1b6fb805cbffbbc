import type { Json } from "./json.ts";
import { readPythonString, startsPythonString } from "./python-string.ts";
import { fail, isAt, take, type TextCursor } from "./text-cursor.ts";

export type PythonLiteral = { ok: true; value: Json } | { ok: false; error: { position: number; message: string } };

export interface PythonLiteralOptions {
  /** Whether strings that stand side by side are one, as in Python. */
  adjacentStrings?: boolean;
}

const depthLimit = 200;
const space = /[ \t\r\n\f]*/y;
const word = /[A-Za-z_]\w*/y;
const number =
  /0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?/y;
const afterNumber = /[\w.]/y;
// As in Python, whose limit it is: without one, reading digits would take more than linear time.
const tooManyDigits = /[\w.+-]{4301}/y;

/**
 * Reads a Python literal, as `repr` prints it, as JSON: in linear time, at most 200 levels deep, never by evaluating it.
 *
 * What JSON has no form for: tuples and sets become lists (sets in the order printed); bytes become their UTF-8 text,
 * or base64 where they are none; inf, -inf and nan become those words; whole numbers beyond 2^53 become their digits as
 * text; half a surrogate pair becomes U+FFFD; keys that are no strings become their JSON text (`{1: "a", None: "b"}` has the keys "1" and "null").
 */
export function parsePythonLiteral(text: string, { adjacentStrings = true }: PythonLiteralOptions = {}): PythonLiteral {
  const cursor: TextCursor = { text, position: 0 };
  const value = readValue(cursor, 0, adjacentStrings);
  skipSpace(cursor);
  if (value !== undefined && cursor.position < text.length) {
    fail(cursor, "the end of the text");
  }
  const { fault } = cursor;
  return value === undefined || fault !== undefined
    ? { ok: false, error: fault ?? { position: 0, message: "expected a value" } }
    : { ok: true, value };
}

function readValue(cursor: TextCursor, depth: number, adjacentStrings = true): Json | undefined {
  skipSpace(cursor);
  if (depth > depthLimit) {
    return fail(cursor, `at most ${depthLimit} levels of nesting`);
  }
  const first = cursor.text[cursor.position] ?? "";
  if (startsPythonString(cursor)) {
    return readStrings(cursor, adjacentStrings);
  }
  switch (first) {
    case "[":
      cursor.position += 1;
      return readItems(cursor, depth, "]")?.items;
    case "(":
      cursor.position += 1;
      return readTuple(cursor, depth);
    case "{":
      cursor.position += 1;
      return readDictOrSet(cursor, depth);
    default:
      return /[\d.+-]/.test(first) ? readNumber(cursor) : readWord(cursor, depth);
  }
}

/** Values up to the closing mark; `commas` tells a tuple of one from a value in parentheses. */
function readItems(
  cursor: TextCursor,
  depth: number,
  close: string,
  read = readValue,
  items: Json[] = [],
): { items: Json[]; commas: number } | undefined {
  let commas = 0;
  for (;;) {
    if (takeMark(cursor, close)) return { items, commas };
    if (items.length > commas) {
      if (!takeMark(cursor, ",")) return fail(cursor, `"," or "${close}"`);
      commas = items.length;
      continue;
    }
    const item = read(cursor, depth + 1);
    if (item === undefined) return undefined;
    items.push(item);
  }
}

/** One value in parentheses without a comma is that value. */
function readTuple(cursor: TextCursor, depth: number): Json | undefined {
  const list = readItems(cursor, depth, ")");
  return list?.items.length === 1 && list.commas === 0 ? list.items[0] : list?.items;
}

function readDictOrSet(cursor: TextCursor, depth: number): Json | undefined {
  if (takeMark(cursor, "}")) return {};
  const first = readHashable(cursor, depth + 1);
  if (first === undefined) return undefined;
  return takeMark(cursor, ":")
    ? readEntries(cursor, depth, first)
    : readItems(cursor, depth, "}", readHashable, [first])?.items;
}

/** Entries of a dict after its first key and colon. Collected before they become an object: no key is special. */
function readEntries(cursor: TextCursor, depth: number, firstKey: Json): Json | undefined {
  const entries: [string, Json][] = [];
  let key = firstKey;
  for (;;) {
    const value = readValue(cursor, depth + 1);
    if (value === undefined) return undefined;
    entries.push([typeof key === "string" ? key : JSON.stringify(key), value]);
    const hasComma = takeMark(cursor, ",");
    if (takeMark(cursor, "}")) return Object.fromEntries(entries);
    if (!hasComma) return fail(cursor, '"," or "}"');
    const next = readHashable(cursor, depth + 1);
    if (next === undefined) return undefined;
    if (!takeMark(cursor, ":")) return fail(cursor, '":"');
    key = next;
  }
}

function readHashable(cursor: TextCursor, depth: number): Json | undefined {
  skipSpace(cursor);
  return /[[{]/.test(cursor.text[cursor.position] ?? "")
    ? fail(cursor, "a value that Python can hash")
    : readValue(cursor, depth);
}

function readStrings(cursor: TextCursor, adjacentStrings: boolean): string | undefined {
  const first = readPythonString(cursor);
  if (first === undefined) return undefined;
  const texts = [first.text];
  for (;;) {
    skipSpace(cursor);
    if (!adjacentStrings || !startsPythonString(cursor)) return texts.join("").toWellFormed();
    const position = cursor.position;
    const next = readPythonString(cursor);
    if (next === undefined) return undefined;
    if (next.isBytes !== first.isBytes) {
      cursor.position = position;
      return fail(cursor, "a string of the same kind as the one before");
    }
    texts.push(next.text);
  }
}

function readNumber(cursor: TextCursor): Json | undefined {
  const start = cursor.position;
  const sign = take(cursor, /[+-]/y) === "-" ? "-" : "";
  skipSpace(cursor);
  const special = take(cursor, /(?:inf|nan)(?!\w)/y);
  if (special !== undefined) return special === "inf" ? `${sign}inf` : "nan";
  if (isAt(cursor, tooManyDigits)) return fail(cursor, "a number of at most 4300 digits");
  const digits = take(cursor, number)?.replaceAll("_", "");
  if (digits === undefined) return fail(cursor, cursor.position > start ? "a number after the sign" : "a number");
  if (isAt(cursor, afterNumber)) return fail(cursor, "the end of the number");
  if (/^0[0-9]*[1-9]/.test(digits) && /^\d+$/.test(digits)) {
    cursor.position = start;
    return fail(cursor, "a whole number without leading zeros");
  }
  return toJson(sign, digits);
}

function toJson(sign: string, digits: string): Json {
  const size = Number(digits);
  if (size === Number.POSITIVE_INFINITY && !isWhole(digits)) return `${sign}inf`;
  if (isWhole(digits) && !Number.isSafeInteger(size)) return sign + digits;
  return sign === "-" && size !== 0 ? -size : size;
}

function isWhole(digits: string): boolean {
  return /^(?:\d+|0[xXoObB].*)$/.test(digits);
}

function readWord(cursor: TextCursor, depth: number): Json | undefined {
  const start = cursor.position;
  const name = take(cursor, word);
  if (name === "True") return true;
  if (name === "False") return false;
  if (name === "None") return null;
  if (name === "inf" || name === "nan") return name;
  if ((name === "set" || name === "frozenset") && cursor.text[cursor.position] === "(") {
    return readSetCall(cursor, depth);
  }
  cursor.position = start;
  return fail(cursor, "a Python literal");
}

/** `set()`, `frozenset()`, `frozenset({1, 2})` and, of old, `set([1, 2])`. */
function readSetCall(cursor: TextCursor, depth: number): Json | undefined {
  cursor.position += 1;
  if (takeMark(cursor, ")")) return [];
  const items = readValue(cursor, depth + 1);
  if (items === undefined) return undefined;
  if (!Array.isArray(items)) return fail(cursor, "a list or set before this");
  return takeMark(cursor, ")") ? items : fail(cursor, '")"');
}

function takeMark(cursor: TextCursor, mark: string): boolean {
  skipSpace(cursor);
  const isHere = cursor.text[cursor.position] === mark;
  if (isHere) cursor.position += 1;
  return isHere;
}

function skipSpace(cursor: TextCursor): void {
  take(cursor, space);
}
