import type { Fault } from "./fault.ts";
import { printPath } from "./fault.ts";
import { locateIn, type Lines } from "./position.ts";
import type { Place, Span, Value } from "./value.ts";

/** What to do next; as a function where it is dear to find, because only the first faults are told. */
export type Hint = { hint?: string } | (() => { hint?: string });

/** Where what is wrong with a document is collected. */
export interface Report {
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
  /** Whether further faults are no longer told. */
  isFull(): boolean;
  add(place: Place, message: string, more?: Hint): void;
  /** For a part of a text, from an offset in its value on. */
  addInside(value: Value, part: { offset: number; length: number }, message: string, more?: Hint): void;
  /** For what is dropped without harm, and said so. */
  warn(place: Place, message: string, more?: Hint): void;
}

const maxFaults = 200;

/** Creates an empty report on a text; without one, faults have no lines. */
export function createReport(lines?: Lines): Report {
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  const seen = new Set<string>();
  const put = (list: Fault[], place: Place, span: Span | undefined, message: string, more: Hint = {}) => {
    if (list.length >= maxFaults) return;
    const fault = faultAt(lines, place, span, message);
    const key = `${fault.line}:${fault.column}:${fault.path}:${message}`;
    if (seen.has(key)) return;
    seen.add(key);
    list.push({ ...fault, ...(typeof more === "function" ? more() : more) });
  };
  return {
    get faults() {
      return faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
    },
    warnings,
    isFull: () => faults.length >= maxFaults,
    add: (place, message, more) => put(faults, place, place.span, message, more),
    addInside: (value, part, message, more) =>
      put(faults, value, lines && locateIn(lines.text, value, part), message, more),
    warn: (place, message, more) => put(warnings, place, place.span, message, more),
  };
}

function faultAt(lines: Lines | undefined, { path }: Place, span: Span | undefined, message: string): Fault {
  const fault = { message, path: printPath(path) };
  if (lines === undefined || span === undefined) return { ...fault, line: 0, column: 0 };
  const start = lines.at(span.start);
  const end = lines.at(Math.max(span.start, span.end));
  return { ...fault, ...start, endLine: end.line, endColumn: end.column };
}
