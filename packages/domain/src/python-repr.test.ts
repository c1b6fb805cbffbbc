import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "./json.ts";
import { parsePythonLiteral } from "./python-literal.ts";

const python = "/usr/bin/python3";

function read(text: string): Json {
  const literal = parsePythonLiteral(text);
  if (!literal.ok) throw new Error(`${text}: ${literal.error.message} at ${literal.error.position}`);
  return literal.value;
}

/** JSON values whose numbers are exact in both languages. */
const values = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(
      null,
      true,
      false,
      "__proto__",
      "it's",
      'say "hi"',
      "both ' and \"",
      "a\nb\t\\",
      "\u0000\u00ff\u2028😀",
    ),
    fc.string({ unit: "grapheme" }),
    fc.maxSafeInteger().map((whole) => whole + 0),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((size) => Math.abs(size) < 2 ** 53)
      .map((size) => size + 0),
    fc.array(tie("value")),
    fc.dictionary(fc.string(), tie("value")),
  ),
})).value;

/** Prints as Python's `repr` does, except where the style says otherwise: quotes, tuples and trailing commas are drawn. */
function print(value: Json, style: () => number): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return printString(value, style());
  const comma = style() % 2 === 0 ? "" : ",";
  if (!Array.isArray(value)) {
    const entries = Object.entries(value).map(([key, part]) => `${printString(key, style())}: ${print(part, style)}`);
    return `{${entries.join(", ")}${entries.length > 0 ? comma : ""}}`;
  }
  const items = value.map((part) => print(part, style)).join(", ");
  if (style() % 2 === 0) return `[${items}${value.length > 0 ? comma : ""}]`;
  return `(${items}${value.length === 1 ? "," : value.length > 0 ? comma : ""})`;
}

function printString(text: string, style: number): string {
  const quote = ["'", '"', "'''", '"""'][style % 4] ?? "'";
  const body = Array.from(text, (character) => {
    if (character === "\\" || character === quote[0]) return `\\${character}`;
    const code = character.codePointAt(0) ?? 0;
    if (code < 32) return `\\x${code.toString(16).padStart(2, "0")}`;
    if (code > 0xffff) return `\\U${code.toString(16).padStart(8, "0")}`;
    return code > 126 && style % 3 === 0 ? `\\u${code.toString(16).padStart(4, "0")}` : character;
  });
  return quote + body.join("") + quote;
}

describe("what Python prints", () => {
  it("reads back every value that is printed the Python way", () => {
    fc.assert(
      fc.property(values, fc.infiniteStream(fc.nat({ max: 11 })), (value, styles) => {
        expect(read(print(value, () => styles.next().value ?? 0))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("reads what the real Python prints", ({ skip }) => {
    if (!existsSync(python)) {
      expect(process.env["CI"], `${python} is needed in CI`).toBeUndefined();
      skip(`${python} is not installed`);
    }
    const corpus = fc.sample(values, { numRuns: 300, seed: 1 });
    const program = "import json, sys; json.dump([repr(value) for value in json.load(sys.stdin)], sys.stdout)";
    const printed = JSON.parse(
      execFileSync(python, ["-c", program], { input: JSON.stringify(corpus) }).toString(),
    ) as string[];
    expect(printed.map(read)).toEqual(corpus);

    const expressions = [
      "(1, (2,), ())",
      "{'a': {1, 2}}",
      "set()",
      "frozenset({1})",
      "b'\\x00\\xff'",
      "float('-inf')",
      "1e16",
      "2 ** 64",
      "'\\ud800\\x00\\x7f\\u2028'",
      "-0.0",
    ];
    const reprs = execFileSync(python, ["-c", `for value in (${expressions.join(", ")}): print(ascii(value))`])
      .toString()
      .trimEnd()
      .split("\n");
    expect(reprs.map(read)).toEqual([
      [1, [2], []],
      { a: [1, 2] },
      [],
      [1],
      "AP8=",
      "-inf",
      1e16,
      "18446744073709551616",
      "\ufffd\0\x7f\u2028",
      0,
    ]);
  });
});
