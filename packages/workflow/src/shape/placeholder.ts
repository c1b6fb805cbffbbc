import { literalText } from "./template.ts";

/** A name in braces, and where it stands in its text. */
export interface Placeholder {
  whole: string;
  /** As in `state.name`, cut at the dots. */
  path: [string, ...string[]];
  offset: number;
}

const placeholder = /(?<!\{)\{ ?([\p{L}_][\p{L}\p{N}_. -]{0,150})\}(?!\})/gu;
const escaped = /\{\{( ?[\p{L}_][\p{L}\p{N}_. -]{0,150})\}\}/gu;

/**
 * A text with `{name}` as a template: `resolve` gives the template for each name, or reports that there is none.
 * `{{name}}` is a literal `{name}`, and braces around anything but a name mean themselves.
 */
export function fillPlaceholders(text: string, resolve: (found: Placeholder) => string | undefined): string {
  const pieces: string[] = [];
  let end = 0;
  const plain = (from: number, to: number) => literalText(text.slice(from, to)).replaceAll(escaped, "{$1}");
  for (const { 0: whole, 1: inner = "", index } of text.matchAll(placeholder)) {
    const [root = "", ...path] = inner.trim().split(".");
    pieces.push(plain(end, index), resolve({ whole, path: [root, ...path], offset: index }) ?? "");
    end = index + whole.length;
  }
  return joined([...pieces, plain(end, text.length)]);
}

/** A dollar right before a template would make it a literal one. */
function joined(pieces: readonly string[]): string {
  const result: string[] = [];
  for (const piece of pieces) {
    const before = result.at(-1);
    if (before?.endsWith("$") === true && piece.startsWith("${"))
      result[result.length - 1] = `${before.slice(0, -1)}\${'$'}`;
    if (piece !== "") result.push(piece);
  }
  return result.join("");
}
