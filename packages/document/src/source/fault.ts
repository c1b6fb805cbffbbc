import { findSimilar } from "@drover/domain/similar";

/** The way to a value from the root of the document. */
export type Path = readonly (string | number)[];

/** Something in a document that is not as it must be, or deserves a look, and where it stands. */
export interface Fault {
  message: string;
  /** What to do next. */
  hint?: string;
  /** From 1; 0 where the document was handed in as an object, so that there is only the path. */
  line: number;
  column: number;
  /** Just behind the last character. */
  endLine?: number;
  endColumn?: number;
  /** As in `steps.extract.retry.attempts` or `nodes[0].id`. */
  path: string;
}

/** A path as people write it. */
export function printPath(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    if (!/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(key)) return `${text}[${JSON.stringify(key)}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** A text shortened for a message, in quotes. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

/** `Did you mean "extract"?`, or else which words there are. */
export function suggest(word: string, known: readonly string[]): { hint?: string } {
  const meant = similarTo(word, known);
  if (meant !== undefined) return { hint: `Did you mean ${quote(meant)}?` };
  if (known.length === 0) return {};
  const others = known.length > maxKnown ? ` and ${known.length - maxKnown} others` : "";
  return { hint: `Known: ${known.slice(0, maxKnown).map(short).join(", ")}${others}.` };
}

/** All keys of the largest record there is; names of the user's may be many more. */
const maxKnown = 40;

/** The word that was probably meant by one that is not known. */
export function similarTo(word: string, known: readonly string[]): string | undefined {
  // More than two letters off is not similar, so length alone leaves most of a large workflow out.
  const near = known.filter(({ length }) => Math.abs(length - word.length) <= 2).slice(0, 500);
  return word.length > 100 ? undefined : findSimilar(word, near);
}

/** Words as in `a, b or c`. */
export function eitherOf(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1) ?? ""}`;
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
