import type { Span, Value } from "./value.ts";

/** Lines of a text: answers where an offset stands. */
export interface Lines {
  readonly text: string;
  at(offset: number): { line: number; column: number };
}

/** Creates the answer to "which line and column"; both count from 1, columns in UTF-16 units. */
export function createLines(text: string): Lines {
  const starts = [0];
  for (let next = text.indexOf("\n"); next !== -1; next = text.indexOf("\n", next + 1)) starts.push(next + 1);
  return {
    text,
    at(offset) {
      let [low, high] = [0, starts.length - 1];
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if ((starts[middle] ?? 0) <= offset) low = middle;
        else high = middle - 1;
      }
      return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
    },
  };
}

/** Where a part of a scalar's value stands in the document; the whole scalar where its writing does not tell. */
export function locateIn(text: string, value: Value, { offset, length }: { offset: number; length: number }) {
  const { span, style, json } = value;
  if (span === undefined || typeof json !== "string") return span;
  if (style === "block") return locateInBlock(text, span, json, offset, length) ?? span;
  if (style !== "as-is" && style !== "quoted") return span;
  const start = span.start + (style === "quoted" ? 1 : 0) + offset;
  return clip(span, start, length);
}

/** Lines of a literal block stand below each other as they are, behind the same indentation. */
function locateInBlock(text: string, span: Span, value: string, offset: number, length: number): Span | undefined {
  const header = text.indexOf("\n", span.start);
  if (header === -1) return undefined;
  const first = /^(?:[ \t]*\r?\n)*( *)/.exec(text.slice(header + 1, span.end))?.[1]?.length ?? 0;
  const indent = first - (/^\s*?( *)\S/m.exec(value)?.[1]?.length ?? 0);
  const before = value.slice(0, offset).split("\n");
  let start = header + 1;
  for (let line = 1; line < before.length; line++) start = text.indexOf("\n", start) + 1;
  return clip(span, start + indent + (before.at(-1)?.length ?? 0), length);
}

function clip(span: Span, start: number, length: number): Span {
  const from = Math.min(start, span.end);
  return { start: from, end: Math.min(from + Math.max(1, length), Math.max(from, span.end)) };
}
