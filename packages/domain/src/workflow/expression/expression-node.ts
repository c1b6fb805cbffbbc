import { describeToken, readToken } from "./expression-token.ts";
import type { Token } from "./expression-token.ts";
import type { Reference } from "./reference.ts";

export const comparisons = ["==", "!=", "<", "<=", ">", ">=", "in"] as const;
export type Comparison = (typeof comparisons)[number];

export type ExpressionNode =
  | { kind: "literal"; value: null | boolean | number | string }
  | { kind: "reference"; reference: Reference }
  | { kind: "length"; of: ExpressionNode; offset: number }
  | { kind: "not"; of: ExpressionNode }
  | { kind: "and" | "or"; of: ExpressionNode[] }
  | { kind: "compare"; comparison: Comparison; left: ExpressionNode; right: ExpressionNode; offset: number };

interface Parser {
  readonly text: string;
  readonly close: string | undefined;
  token: Token;
  /** Where the token before ended. */
  end: number;
  depth: number;
  readonly references: Reference[];
  fault?: { message: string; offset: number; length: number };
}

const maxDepth = 100;
const literals = new Map([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["null", null],
  ["None", null],
]);
const operators: ReadonlySet<string> = new Set(["and", "or", "not", "in"]);
/** What to write instead of what other languages have. */
const hints = new Map([
  ["=", "write =="],
  ["===", "write =="],
  ["!==", "write !="],
  ["&&", "write and"],
  ["||", "write or"],
  ["!", "write not"],
  ["not", "put it in parentheses: not (a in b), a == (not b)"],
  ["(", "the only function is length(x)"],
]);

/**
 * The grammar, loosest first; each level is a function below, of the same order:
 * or: and ("or" and)*; and: not ("and" not)*; not: "not" not | comparison; comparison: operand (operator operand)?;
 * operand: literal | reference | "length" "(" or ")" | "(" or ")"; reference: name ("." name | "[" text or index "]")*
 */
export function parseNode(
  text: string,
  position: number,
  close?: string,
): { node: ExpressionNode | undefined; end: number } & Pick<Parser, "references" | "fault"> {
  const token = readToken(text, position, close);
  const parser: Parser = { text, close, token, end: position, depth: 0, references: [] };
  const node = parseChain(parser, "or");
  if (node !== undefined && parser.token.kind !== "end") failAfter(parser, node);
  return { ...parser, node, end: parser.token.offset + parser.token.length };
}

/** `a and b and c` is one node, however long: only parentheses and `not` nest. */
function parseChain(parser: Parser, kind: "and" | "or"): ExpressionNode | undefined {
  const next = kind === "or" ? parseAnd : parseNot;
  const first = next(parser);
  if (first === undefined) return undefined;
  const of = [first];
  while (isWord(parser.token, kind)) {
    advance(parser);
    const operand = next(parser);
    if (operand === undefined) return undefined;
    of.push(operand);
  }
  return of.length === 1 ? first : { kind, of };
}

function parseAnd(parser: Parser): ExpressionNode | undefined {
  return parseChain(parser, "and");
}

function parseNot(parser: Parser): ExpressionNode | undefined {
  if (!isWord(parser.token, "not")) return parseComparison(parser);
  const of = nest(parser, parseNot);
  return of && { kind: "not", of };
}

function parseComparison(parser: Parser): ExpressionNode | undefined {
  const left = parseOperand(parser);
  const comparison = comparisonOf(parser.token);
  if (left === undefined || comparison === undefined) return left;
  const { offset } = parser.token;
  advance(parser);
  const right = parseOperand(parser);
  if (right === undefined) return undefined;
  if (comparisonOf(parser.token) !== undefined) {
    return fail(parser, "one comparison", "they cannot be chained: write a < b and b < c");
  }
  return { kind: "compare", comparison, left, right, offset };
}

function parseOperand(parser: Parser): ExpressionNode | undefined {
  const { token } = parser;
  if (token.kind === "number" || token.kind === "text") {
    advance(parser);
    return { kind: "literal", value: token.value };
  }
  if (isMark(token, "(")) return parseParentheses(parser);
  if (token.kind !== "name" || operators.has(token.text)) {
    return fail(parser, "a value", token.kind === "mark" ? undefined : hintFor(token));
  }
  advance(parser);
  const literal = literals.get(token.text);
  if (literal !== undefined) return { kind: "literal", value: literal };
  if (token.text !== "length" || !isMark(parser.token, "(")) return parseReference(parser, token.text, token.offset);
  const of = parseParentheses(parser);
  return of && { kind: "length", of, offset: token.offset };
}

function parseParentheses(parser: Parser): ExpressionNode | undefined {
  const opening = parser.token.offset;
  const inner = nest(parser, (nested) => parseChain(nested, "or"));
  if (inner === undefined) return undefined;
  if (!isMark(parser.token, ")")) return failAfter(parser, inner, `")" for the "(" at position ${opening}`);
  advance(parser);
  return inner;
}

function parseReference(parser: Parser, root: string, offset: number): ExpressionNode | undefined {
  const path: (string | number)[] = [];
  while (isMark(parser.token, ".") || isMark(parser.token, "[")) {
    const key = isMark(parser.token, ".") ? parseName(parser) : parseIndex(parser);
    if (key === undefined) return undefined;
    path.push(key);
  }
  const reference = { root, path, offset, length: parser.end - offset };
  if (root === "steps" && (typeof path[0] !== "string" || path[1] !== "output")) {
    const got = JSON.stringify(parser.text.slice(offset, Math.min(parser.end, offset + 100)));
    parser.fault ??= { message: faultText("steps.<id>.output", got, offset), offset, length: reference.length };
    return undefined;
  }
  parser.references.push(reference);
  return { kind: "reference", reference };
}

function parseName(parser: Parser): string | undefined {
  advance(parser);
  const { token } = parser;
  if (token.kind !== "name")
    return fail(parser, 'a name after "."', 'write other keys as ["any name"], indexes as [0]');
  advance(parser);
  return token.text;
}

function parseIndex(parser: Parser): string | number | undefined {
  advance(parser);
  const { token } = parser;
  const isIndex = token.kind === "number" && /^\d+$/.test(token.text) && Number.isSafeInteger(token.value);
  if (token.kind !== "text" && !isIndex) return fail(parser, 'a whole number from 0 on or a quoted key after "["');
  advance(parser);
  if (!isMark(parser.token, "]")) return fail(parser, '"]"');
  advance(parser);
  return token.value;
}

/** Goes over the current token and one level deeper. */
function nest(parser: Parser, parse: (parser: Parser) => ExpressionNode | undefined): ExpressionNode | undefined {
  if (parser.depth === maxDepth) return fail(parser, `at most ${maxDepth} levels of nesting`);
  parser.depth += 1;
  advance(parser);
  const node = parse(parser);
  parser.depth -= 1;
  return node;
}

/** Something stands behind a whole node that cannot follow it. */
function failAfter(parser: Parser, node: ExpressionNode, close?: string): undefined {
  const isCompared = node.kind !== "literal" && node.kind !== "reference" && node.kind !== "length";
  const end = close ?? (parser.close === undefined ? "the end of the text" : JSON.stringify(parser.close));
  const hint = isMark(parser.token, "(") && node.kind !== "reference" ? undefined : hintFor(parser.token);
  return fail(parser, `${isCompared ? "" : "a comparison, "}"and", "or" or ${end}`, hint);
}

function fail(parser: Parser, expected: string, hint?: string): undefined {
  const { token } = parser;
  const { offset, length } = token;
  const message =
    token.kind === "broken"
      ? faultText(token.expected, token.got, offset)
      : faultText(expected, describeToken(token), offset, hint);
  parser.fault ??= { message, offset, length };
}

function faultText(expected: string, got: string, offset: number, hint?: string): string {
  return `expected ${expected}, got ${got} at position ${offset}${hint === undefined ? "" : `; ${hint}`}`;
}

function hintFor(token: Token): string | undefined {
  return "text" in token ? hints.get(token.text) : undefined;
}

function advance(parser: Parser): void {
  parser.end = parser.token.offset + parser.token.length;
  parser.token = readToken(parser.text, parser.end, parser.close);
}

function comparisonOf(token: Token): Comparison | undefined {
  return token.kind === "mark" || token.kind === "name"
    ? comparisons.find((comparison) => comparison === token.text)
    : undefined;
}

function isWord(token: Token, word: string): boolean {
  return token.kind === "name" && token.text === word;
}

function isMark(token: Token, mark: string): boolean {
  return token.kind === "mark" && token.text === mark;
}
