import type { Json } from "./json.ts";
import { parsePythonLiteral } from "./python-literal.ts";

const depthLimit = 200;
const wholeNumber = /^[+-]?(?:0|[1-9]\d*)$/;
const floatNumber = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
// What Python's str() makes of a value that is neither a number nor a text.
const pythonStart = /^(?:[[({]|[bBrRuU]{0,2}['"]|(?:frozen)?set\(|None$)/;

/** Decodes every value of a payload that came as a map of texts. */
export function decodePayload(texts: Readonly<Record<string, string>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, decodePayloadValue(text)]));
}

/**
 * Decodes a payload value that came as text: blank stays; true, false and null in any case; a whole number; a number with
 * a point or exponent; a JSON object or array; a Python literal (what clients get from `str(value)`); else the text itself.
 *
 * Whole numbers that a JSON number cannot hold (beyond 2^53) stay their digits as text, inside JSON too. Texts that only
 * look like numbers stay texts, since they are names: leading zeros, underscores, hexadecimal, digits without end.
 * More than 200 levels of nesting stay text.
 * @example decodePayloadValue("{'command': ['echo', 'hi'], 'n': None}") // { command: ["echo", "hi"], n: null }
 */
export function decodePayloadValue(text: string): Json {
  const trimmed = text.trim();
  if (trimmed === "") {
    return text;
  }
  return decodeWord(trimmed) ?? decodeNumber(trimmed) ?? decodeNested(trimmed, text);
}

function decodeWord(trimmed: string): boolean | undefined {
  const word = trimmed.length <= 5 ? trimmed.toLowerCase() : "";
  return word === "true" ? true : word === "false" ? false : undefined;
}

function decodeNumber(trimmed: string): number | undefined {
  const first = trimmed.charCodeAt(0);
  const mayStart = (first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46;
  if (!mayStart || trimmed.length > 400) {
    return undefined;
  }
  const size = Number(trimmed) + 0;
  if (wholeNumber.test(trimmed)) {
    return Number.isSafeInteger(size) ? size : undefined;
  }
  return floatNumber.test(trimmed) && /[.eE]/.test(trimmed) && Number.isFinite(size) ? size : undefined;
}

function decodeNested(trimmed: string, text: string): Json {
  if (trimmed.length === 4 && trimmed.toLowerCase() === "null") {
    return null;
  }
  if (/^[[{"]/.test(trimmed)) {
    const value = parseJson(trimmed);
    if (value !== undefined) return value;
  }
  if (!pythonStart.test(trimmed)) {
    return text;
  }
  // Quoted words side by side are a command line rather than one literal.
  const literal = parsePythonLiteral(trimmed, { adjacentStrings: !/^\w{0,2}['"]/.test(trimmed) });
  // No value prints as itself in parentheses: "(212)" is a text.
  const isTupleOrOther = literal.ok && (Array.isArray(literal.value) || !trimmed.startsWith("("));
  return isTupleOrOther ? literal.value : text;
}

/** JSON.parse that keeps the digits of large whole numbers; undefined for what is no JSON, or nested too deep. */
function parseJson(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json;
    if (isDeeper(value, depthLimit)) return undefined;
    return /\d{16}/.test(text) ? (parseWithSource(text, keepDigits) as Json) : value;
  } catch {
    return undefined;
  }
}

// The source of a value is in the language since 2025, but not in TypeScript's types of es2024.
const parseWithSource = JSON.parse as (
  text: string,
  revive: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

function keepDigits(_key: string, value: unknown, { source }: { source?: string }): unknown {
  const isLost =
    typeof value === "number" && source !== undefined && wholeNumber.test(source) && !Number.isSafeInteger(value);
  return isLost ? source : value;
}

function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  return levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1));
}
