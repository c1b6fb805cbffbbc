/** A word, number, text or mark of an expression, or what could not be read as one. */
export type Token = { offset: number; length: number } & (
  | { kind: "name" | "mark" | "unknown"; text: string }
  | { kind: "number"; text: string; value: number }
  | { kind: "text"; value: string }
  | { kind: "end" }
  | { kind: "broken"; expected: string; got: string }
);

const space = /\s*/y;
const name = /[\p{L}_][\p{L}\p{N}_-]*/uy;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const mark = /[=!<>]=|[<>()[\].]/y;
// Operators of other languages in one piece, so that a message can show them whole.
const unknown = /[=!&|+*/%?-]+|[^]/uy;
const escapes: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** The token at or after a position; `close`, where it is given, ends the expression as the end of the text does. */
export function readToken(text: string, from: number, close?: string): Token {
  const offset = from + (match(space, text, from)?.length ?? 0);
  const first = text[offset];
  if (first === undefined || first === close) return { kind: "end", offset, length: first === undefined ? 0 : 1 };
  if (first === "'" || first === '"') return readText(text, offset, first);
  const word = match(name, text, offset);
  if (word !== undefined) return { kind: "name", text: word, offset, length: word.length };
  const digits = match(number, text, offset);
  if (digits !== undefined) return readNumber(digits, offset);
  const sign = match(mark, text, offset);
  if (sign !== undefined) return { kind: "mark", text: sign, offset, length: sign.length };
  const rest = match(unknown, text, offset) ?? first;
  return { kind: "unknown", text: rest, offset, length: rest.length };
}

/** A token as a message shows it. */
export function describeToken(token: Token): string {
  switch (token.kind) {
    case "end":
      return token.length === 0 ? "the end of the text" : '"}"';
    case "text":
      return "a text";
    case "broken":
      return token.got;
    default:
      return JSON.stringify(token.text.length > 40 ? `${token.text.slice(0, 40)}…` : token.text);
  }
}

function readNumber(digits: string, offset: number): Token {
  const at = { offset, length: digits.length };
  const value = Number(digits);
  return Number.isFinite(value)
    ? { kind: "number", text: digits, value: value === 0 ? 0 : value, ...at }
    : { kind: "broken", expected: "a number that fits a 64-bit float", got: "one that does not", ...at };
}

function readText(text: string, offset: number, quote: string): Token {
  const pieces: string[] = [];
  let start = offset + 1;
  for (let position = start; position < text.length; position++) {
    const character = text[position];
    if (character === quote) {
      pieces.push(text.slice(start, position));
      // Half a surrogate pair would be refused by Postgres.
      return { kind: "text", value: pieces.join("").toWellFormed(), offset, length: position + 1 - offset };
    }
    if (character === "\\") {
      const escape = readEscape(text, position);
      if (escape.value === undefined) return brokenEscape(text, position);
      pieces.push(text.slice(start, position), escape.value);
      position += escape.length - 1;
      start = position + 1;
    }
  }
  const expected = `a closing ${quote} for the one at position ${offset}`;
  return { kind: "broken", expected, got: "the end of the text", offset: text.length, length: 0 };
}

function readEscape(text: string, position: number): { value: string | undefined; length: number } {
  const letter = text[position + 1] ?? "";
  if (letter !== "u") return { value: Object.hasOwn(escapes, letter) ? escapes[letter] : undefined, length: 2 };
  const digits = text.slice(position + 2, position + 6);
  const value = /^[0-9a-fA-F]{4}$/.test(digits) ? String.fromCharCode(Number.parseInt(digits, 16)) : undefined;
  return { value, length: 6 };
}

function brokenEscape(text: string, offset: number): Token {
  const got = JSON.stringify(text.slice(offset, offset + 2));
  const expected = String.raw`one of \\ \' \" \/ \b \f \n \r \t \uXXXX`;
  return { kind: "broken", expected, got, offset, length: Math.min(2, text.length - offset) };
}

function match(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0];
}
