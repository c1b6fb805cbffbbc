import { createContext, Script } from "node:vm";
import type { Json } from "@drover/domain/json";
import { DroverError } from "@drover/domain/error";

/** From and to (exclusive) in a text. */
export type Range = readonly [from: number, to: number];

/** Finds what must not be shown. */
export interface Redactor {
  /** In the order of the text, apart from each other. Undefined: a pattern took too long, so nothing may be shown. */
  find(text: string): Range[] | undefined;
  /** Whether somebody gave patterns of their own, which may reach over blanks. */
  readonly hasPatterns: boolean;
}

/** What stands where something was blanked. */
export const blank = "[redacted]";

const maxPatterns = 50;
const maxPatternLength = 500;

/** Blanks the keys of providers in a text, as they are and as a URL would hold them. */
export function createKeyBlanker(keys: readonly string[]): (text: string) => string {
  const forms = formsOf(keys);
  return (text) => forms.reduce((clean, form) => clean.replaceAll(form, blank), text);
}

/** A text as Postgres can hold it inside JSON: without NUL and halves of characters. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Does to every text inside a value, names of fields included, what is done to one. */
export function mapTexts<T>(value: T, change: (text: string) => string): T {
  // The one cast: the form of the value stays as it is.
  return mapJson(value as Json, change) as T;
}

function mapJson(value: Json, change: (text: string) => string): Json {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapJson(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [change(name), mapJson(item, change)]));
}

/**
 * Makes what a log is cleaned with: the keys, bearer tokens, and the call's own patterns, of which `email` stands for
 * e-mail addresses. Patterns come from whoever wrote the workflow, and one that backtracks for ever must not stop the
 * agent: they run under a time limit, and a text that could not be searched in time is not shown at all.
 */
export function createRedactor({
  keys,
  patterns = [],
  timeLimitMs = 50,
}: {
  keys: readonly string[];
  patterns?: readonly string[];
  timeLimitMs?: number;
}): Redactor {
  const own = patterns.filter((pattern) => pattern !== "email").map(checkPattern);
  if (patterns.length > maxPatterns)
    throw new DroverError("invalid", `Expected ${maxPatterns} patterns to redact at most, got ${patterns.length}.`);
  const forms = formsOf(keys);
  const searchOwn = own.length === 0 ? () => [] : createBoundedSearch(own, timeLimitMs);
  const known = patterns.includes("email") ? [bearer, email] : [bearer];
  return {
    hasPatterns: own.length > 0,
    find(text) {
      const found = searchOwn(text);
      if (found === undefined) return undefined;
      const more = known.flatMap((pattern) => [...text.matchAll(pattern)].map(rangeOf));
      return merged([...found, ...more, ...forms.flatMap((form) => occurrences(text, form))]);
    },
  };
}

/** Blanks the ranges of a text. */
export function blankRanges(text: string, ranges: readonly Range[]): string {
  let clean = "";
  let at = 0;
  for (const [from, to] of ranges) {
    clean += text.slice(at, from) + blank;
    at = to;
  }
  return clean + text.slice(at);
}

/** A key as it is, and as a URL would hold it. */
function formsOf(keys: readonly string[]): string[] {
  return [...new Set(keys.flatMap((key) => [key, encodeURIComponent(key)]))];
}

// Their lengths are bounded, so that a long text costs no more than its length.
const bearer = /\bbearer\s{1,8}[A-Za-z0-9._~+/=-]{6,4096}/gi;
const email = /[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g;

function checkPattern(pattern: string): string {
  if (pattern.length > maxPatternLength)
    throw new DroverError(
      "invalid",
      `Expected a pattern to redact of at most ${maxPatternLength} characters, got ${pattern.length}.`,
    );
  try {
    return new RegExp(pattern, "g").source;
  } catch {
    throw new DroverError(
      "invalid",
      `Expected a regular expression to redact, got ${JSON.stringify(pattern)}, which is none. Correct the step's redact.`,
    );
  }
}

// A script's time limit ends a search in its midst, which nothing else on this thread can.
function createBoundedSearch(patterns: string[], timeout: number): (text: string) => Range[] | undefined {
  const context = createContext({ patterns, text: "", found: "[]" });
  const search = new Script(`
    found = JSON.stringify(patterns.flatMap((pattern) =>
      [...text.matchAll(new RegExp(pattern, "g"))].map((match) => [match.index, match.index + match[0].length])))`);
  return (text) => {
    context["text"] = text;
    try {
      search.runInContext(context, { timeout });
    } catch {
      return undefined;
    }
    return (JSON.parse(String(context["found"])) as Range[]).filter(([from, to]) => to > from);
  };
}

function occurrences(text: string, form: string): Range[] {
  const found: Range[] = [];
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + form.length))
    found.push([at, at + form.length]);
  return found;
}

function rangeOf(match: RegExpExecArray): Range {
  return [match.index, match.index + match[0].length];
}

function merged(ranges: Range[]): Range[] {
  const whole: Range[] = [];
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = whole.at(-1);
    if (last !== undefined && from <= last[1]) whole[whole.length - 1] = [last[0], Math.max(last[1], to)];
    else whole.push([from, to]);
  }
  return whole;
}
