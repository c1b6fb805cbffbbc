import type { Fault } from "./fault.ts";
import { printPath } from "./fault.ts";
import { locateIn, type Lines } from "./position.ts";
import type { Place, Span, Value } from "./value.ts";

/** Where what is wrong with a document is collected. */
export interface Report {
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
  add(place: Place, message: string, more?: { hint?: string }): void;
  /** For a part of a text, from an offset in its value on. */
  addInside(value: Value, part: { offset: number; length: number }, message: string, more?: { hint?: string }): void;
  /** For what is dropped without harm, and said so. */
  warn(place: Place, message: string, more?: { hint?: string }): void;
}

const maxFaults = 200;

/** Creates an empty report on a text; without one, faults have no lines. */
export function createReport(lines?: Lines): Report {
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  const seen = new Set<string>();
  const put = (list: Fault[], place: Place, span: Span | undefined, message: string, hint?: string) => {
    const fault = faultAt(lines, place, span, message, hint);
    const key = `${fault.line}:${fault.column}:${fault.path}:${message}`;
    if (list.length >= maxFaults || seen.has(key)) return;
    seen.add(key);
    list.push(fault);
  };
  return {
    get faults() {
      return faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
    },
    warnings,
    add: (place, message, { hint } = {}) => put(faults, place, place.span, message, hint),
    addInside: (value, part, message, { hint } = {}) =>
      put(faults, value, lines && locateIn(lines.text, value, part), message, hint),
    warn: (place, message, { hint } = {}) => put(warnings, place, place.span, message, hint),
  };
}

function faultAt(
  lines: Lines | undefined,
  { path }: Place,
  span: Span | undefined,
  message: string,
  hint: string | undefined,
): Fault {
  const fault = { message, ...(hint === undefined ? {} : { hint }), path: printPath(path) };
  if (lines === undefined || span === undefined) return { ...fault, line: 0, column: 0 };
  const start = lines.at(span.start);
  const end = lines.at(Math.max(span.start, span.end));
  return { ...fault, ...start, endLine: end.line, endColumn: end.column };
}
