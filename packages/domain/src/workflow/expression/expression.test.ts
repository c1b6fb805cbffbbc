import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseExpression } from "./expression.ts";
import type { ExpressionFault, ParsedExpression } from "./expression.ts";
import { evaluate } from "./expression-evaluate.ts";
import { comparisons } from "./expression-node.ts";
import type { ExpressionNode } from "./expression-node.ts";
import { printReference } from "./reference.ts";

const emptyScope = { root: () => undefined, step: () => "missing" as const };

function parse(text: string): ParsedExpression {
  const parsed = parseExpression(text);
  if ("message" in parsed) throw new Error(`${text}: ${parsed.message}`);
  return parsed;
}

function faultOf(text: string): ExpressionFault | undefined {
  const parsed = parseExpression(text);
  return "message" in parsed ? parsed : undefined;
}

describe("parseExpression", () => {
  it.each<[string, string, number, number]>([
    ["", "expected a value, got the end of the text at position 0", 0, 0],
    ["a = 1", 'expected a comparison, "and", "or" or the end of the text, got "=" at position 2; write ==', 2, 1],
    ["a && b", 'expected a comparison, "and", "or" or the end of the text, got "&&" at position 2; write and', 2, 2],
    ["!a", 'expected a value, got "!" at position 0; write not', 0, 1],
    ["a == 1 b", 'expected "and", "or" or the end of the text, got "b" at position 7', 7, 1],
    [
      "a == not b",
      'expected a value, got "not" at position 5; put it in parentheses: not (a in b), a == (not b)',
      5,
      3,
    ],
    [
      "1 < 2 < 3",
      'expected one comparison, got "<" at position 6; they cannot be chained: write a < b and b < c',
      6,
      1,
    ],
    [
      "upper(a)",
      'expected a comparison, "and", "or" or the end of the text, got "(" at position 5; the only function is length(x)',
      5,
      1,
    ],
    ["(a or b", 'expected "and", "or" or ")" for the "(" at position 0, got the end of the text at position 7', 7, 0],
    ["'it", "expected a closing ' for the one at position 0, got the end of the text at position 3", 3, 0],
    [String.raw`"\x"`, String.raw`expected one of \\ \' \" \/ \b \f \n \r \t \uXXXX, got "\\x" at position 1`, 1, 2],
    ["a.1", 'expected a name after ".", got "1" at position 2; write other keys as ["any name"], indexes as [0]', 2, 1],
    ["a[-1]", 'expected a whole number from 0 on or a quoted key after "[", got "-1" at position 2', 2, 2],
    ["a[0", 'expected "]", got the end of the text at position 3', 3, 0],
    ["steps.a.result == 1", 'expected steps.<id>.output, got "steps.a.result" at position 0', 0, 14],
    ["1 == 1e999", "expected a number that fits a 64-bit float, got one that does not at position 5", 5, 5],
    ["é == 😀", 'expected a value, got "😀" at position 5', 5, 2],
  ])("says what it expected in %s", (text, message, offset, length) => {
    expect(faultOf(text)).toEqual({ message, offset, length });
  });

  it("lists every reference with its path and place", () => {
    const text = `length(steps.extract-1.output["any name"][2]) > 0 and not run.id in item`;
    expect(parse(text).references).toEqual([
      { root: "steps", path: ["extract-1", "output", "any name", 2], offset: 7, length: 37 },
      { root: "run", path: ["id"], offset: 58, length: 6 },
      { root: "item", path: [], offset: 68, length: 4 },
    ]);
    for (const { offset, length, root } of parse(text).references) {
      expect(text.slice(offset, offset + length)).toContain(root);
    }
  });

  it.each(["(", "not ", "length(", "a == ("])("refuses 10,000 nested %s without overflowing the stack", (opening) => {
    const fault = faultOf(`${opening.repeat(10_000)}a${")".repeat(10_000)}`);
    expect(fault?.message).toMatch(/expected at most 100 levels of nesting, got "(\(|not)" at position \d+/);
  });

  it("reads long flat expressions in linear time", () => {
    const chain = parse(Array.from({ length: 100_000 }, (_, index) => `a${index} == '${index}'`).join(" or "));
    expect(chain.references).toHaveLength(100_000);
    expect(faultOf(`"${"\\\\".repeat(500_000)}`)?.offset).toBe(1_000_001);
    expect(parse(`a${".b".repeat(100_000)}`).references[0]?.path).toHaveLength(100_000);
  });

  it("answers the same text with the same object, until others push it out", () => {
    const first = parseExpression("a == 1");
    expect(parseExpression("a == 1")).toBe(first);
    for (let index = 0; index < 500; index++) parseExpression(`a == ${index + 2}`);
    expect(parseExpression("a == 1")).not.toBe(first);
    expect(parseExpression("a == 1")).toEqual(first);
  });

  it("gives back every literal that was printed", () => {
    const literal = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
      fc.boolean(),
      fc.constant(null),
    );
    fc.assert(
      fc.property(literal, (value) => {
        expect(evaluate(parse(JSON.stringify(value)), emptyScope)).toEqual({ value });
      }),
    );
  });

  it("gives back every path that was printed", () => {
    const key = fc.oneof(fc.string({ unit: "binary" }), fc.nat(), fc.constantFrom("and", "a-b", "__proto__", "größe"));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 6 }), (path) => {
        const text = printReference("input", path);
        expect(parse(text).references).toEqual([{ root: "input", path, offset: 0, length: text.length }]);
      }),
    );
  });

  it("answers any text, and every fault lies inside it", () => {
    const words = ["a", "steps", "output", "length", "not", "and", "or", "in", "1", "1.5e3", "None"];
    const marks = ["(", ")", "[", "]", ".", "==", "<", "=", "'", '"', "-", "}", "${"];
    const piece = fc.constantFrom(...words, ...marks, "\\", " ", "\n", "\ud800", "😀");
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(piece).map((all) => all.join("")),
      fc.array(piece).map((all) => all.join(" ")),
    );
    fc.assert(
      fc.property(text, (any) => {
        const fault = faultOf(any);
        if (fault === undefined) return;
        expect(fault.message).toMatch(/^expected .+, got .+ at position \d+/s);
        expect(fault.offset + fault.length).toBeLessThanOrEqual(any.length);
      }),
      { numRuns: 2000 },
    );
  });

  it("reads what is printed with the fewest parentheses as its fully parenthesised twin", () => {
    fc.assert(
      fc.property(tree.tree, (node) => {
        expect(shape(parse(print(node, 0)).node)).toEqual(shape(parse(printInParentheses(node)).node));
      }),
      { numRuns: 500 },
    );
  });
});

type Tree = { word: string; of: Tree[] };

const leaf = fc
  .constantFrom("a", "input.b[0]", "'x'", "-1.5", "True", "null", "length(c)")
  .map((word): Tree => ({ word, of: [] }));

const tree = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    tie("tree").map((of) => ({ word: "not", of: [of] })),
    fc.record({
      word: fc.constantFrom("and", "or", ...comparisons),
      of: fc.tuple(tie("tree"), tie("tree")),
    }),
  ),
}));

const strength = new Map([
  ["or", 1],
  ["and", 2],
  ["not", 3],
  ...comparisons.map((comparison) => [comparison, 4] as const),
]);

/** With parentheses only where an operator binds no tighter than its place asks for. */
function print({ word, of }: Tree, atLeast: number): string {
  const own = strength.get(word) ?? 5;
  const [left, right] = of;
  const text =
    left === undefined
      ? word
      : right === undefined
        ? `${word} ${print(left, own)}`
        : `${print(left, own + (own === 4 ? 1 : 0))} ${word} ${print(right, own + 1)}`;
  return own < atLeast ? `(${text})` : text;
}

function printInParentheses({ word, of }: Tree): string {
  const [left, right] = of.map(printInParentheses);
  if (left === undefined) return word;
  return right === undefined ? `(${word} (${left}))` : `((${left}) ${word} (${right}))`;
}

/** A node without its places, chains of `and` and `or` as pairs from the left. */
function shape(node: ExpressionNode): unknown {
  switch (node.kind) {
    case "literal":
      return node.value;
    case "reference":
      return [node.reference.root, ...node.reference.path];
    case "compare":
      return { [node.comparison]: [shape(node.left), shape(node.right)] };
    case "length":
    case "not":
      return { [node.kind]: shape(node.of) };
    default:
      return node.of.map(shape).reduce((left, right) => ({ [node.kind]: [left, right] }));
  }
}
