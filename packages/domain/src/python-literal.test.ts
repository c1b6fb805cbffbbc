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

function positionOf(text: string): number | undefined {
  const literal = parsePythonLiteral(text);
  return literal.ok ? undefined : literal.error.position;
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

describe("parsePythonLiteral", () => {
  it.each<[string, Json]>([
    ["{'command': ['echo', 'hi'], 'x': True, 'n': None}", { command: ["echo", "hi"], x: true, n: null }],
    ["'it\\'s' \"a\" '''b\n'c'''", "it'sab\n'c"],
    [
      String.raw`'\a\b\f\n\r\t\v\\\'\"\x41\101\u00e9\U0001F600\q\
'`,
      "\x07\b\f\n\r\t\v\\'\"AAé😀\\q",
    ],
    [String.raw`r'\n\'' R"\x"`, String.raw`\n\'\x`],
    ["u'é'", "é"],
    ["[1_000, 0x_fF, 0o17, 0b101, 00, -5, +5, - 5]", [1000, 255, 15, 5, 0, -5, 5, -5]],
    ["[1., .5, 1e5, 1_0.0_1E-1, 01.5]", [1, 0.5, 100_000, 1.001, 1.5]],
    ["[inf, -inf, nan, 1e999, -1e999]", ["inf", "-inf", "nan", "inf", "-inf"]],
    [
      "[9007199254740991, 9007199254740993, -12345678901234567890]",
      [9007199254740991, "9007199254740993", "-12345678901234567890"],
    ],
    ["((), (1,), (1), (1, 2), ('a'))", [[], [1], 1, [1, 2], "a"]],
    ["[{1, 2}, {1,}, set(), frozenset(), frozenset({1, 2}), set([1])]", [[1, 2], [1], [], [], [1, 2], [1]]],
    [
      "{1: 'a', None: 'b', True: 'c', 1.5: 'd', (1, 2): 'e', b'k': 'f',}",
      { "1": "a", null: "b", true: "c", "1.5": "d", "[1,2]": "e", k: "f" },
    ],
    ["{'a': 1, 'a': 2}", { a: 2 }],
    [String.raw`[b'text \xc3\xa9', b'\xff\x00', rb'\n', Br'', b'a' b'b']`, ["text é", "/wA=", "\\n", "", "ab"]],
    ["'\\ud83d' '\\ude00' '\\ud83d'", "😀\ufffd"],
    [" \t\r\n[ 1 ,\n2 ] ", [1, 2]],
  ])("reads %s", (text, value) => {
    expect(read(text)).toEqual(value);
  });

  it("keeps a key that is special to JavaScript as an ordinary one", () => {
    const value = read("{'__proto__': {'x': 1}, 'constructor': 2}");
    expect(Object.entries(value ?? {})).toEqual([
      ["__proto__", { x: 1 }],
      ["constructor", 2],
    ]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it.each([
    ["", 0],
    ["datetime.datetime(2026, 5, 1)", 0],
    ["[1 2]", 3],
    ["[1, 2 ", 6],
    ["[,]", 1],
    ["{1: 2, 3}", 8],
    ["{1 2}", 3],
    ["{'a': }", 6],
    ["'open", 5],
    ["'a\nb'", 2],
    ["'\\", 2],
    ["'\\x4'", 3],
    ["'\\U00110000'", 11],
    ["b'é'", 2],
    ["'a' b'b'", 4],
    ["012", 0],
    ["1_", 1],
    ["1__0", 1],
    ["0x", 1],
    ["1.2.3", 3],
    ["2j", 1],
    ["--1", 1],
    ["1, 2", 1],
    ["true", 0],
    ["Truex", 0],
    ["{[1]: 2}", 1],
    ["{{}}", 1],
    ["<object at 0x7f>", 0],
    ["OrderedDict([('a', 1)])", 0],
    ["f'x'", 0],
    ["...", 0],
    ["[1] [2]", 4],
    ["set(1)", 5],
    ["'\\N{DASH}'", 3],
  ])("refuses %j at position %d", (text, position) => {
    expect(positionOf(text)).toBe(position);
  });

  it("reads numbers of up to 4300 digits, as Python does", () => {
    expect(read(`[${"1".repeat(4300)}]`)).toEqual(["1".repeat(4300)]);
    expect(positionOf(`[${"1".repeat(4301)}]`)).toBe(1);
    expect(positionOf("9".repeat(20_000_000))).toBe(0);
  });

  it("says what it expected and what it got", () => {
    expect(parsePythonLiteral("[1 😀]")).toEqual({
      ok: false,
      error: { position: 3, message: 'expected "," or "]", got "😀"' },
    });
    expect(parsePythonLiteral("[1")).toEqual({
      ok: false,
      error: { position: 2, message: 'expected "," or "]", got the end of the text' },
    });
  });

  it("joins strings side by side only where that is asked for", () => {
    expect(parsePythonLiteral("'ls' '-l'", { adjacentStrings: false })).toMatchObject({
      ok: false,
      error: { position: 5 },
    });
    expect(parsePythonLiteral("'ls -l'", { adjacentStrings: false })).toEqual({ ok: true, value: "ls -l" });
  });

  it("goes 200 levels deep and no further, whatever the nesting is made of", () => {
    for (const [open, close, levels] of [
      ["[", "]", 200],
      ["(", ",)", 200],
      ["{1:", "}", 200],
      ["frozenset([", "])", 100],
      ["frozenset({", "})", 100],
    ] as const) {
      const nest = (depth: number) => parsePythonLiteral(`${open.repeat(depth)}1${close.repeat(depth)}`);
      expect(nest(levels), open).toMatchObject({ ok: true });
      for (const depth of [levels + 1, 100_000]) {
        expect(nest(depth), open).toMatchObject({
          ok: false,
          error: { message: expect.stringContaining("at most 200 levels") },
        });
      }
    }
  });

  it("reads back every value that is printed the Python way", () => {
    fc.assert(
      fc.property(values, fc.infiniteStream(fc.nat({ max: 11 })), (value, styles) => {
        expect(read(print(value, () => styles.next().value ?? 0))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("never throws, whatever the text", () => {
    const pieces = [
      "'",
      '"',
      "'''",
      "\\",
      "\\x",
      "b",
      "r'",
      "{",
      "}",
      "[",
      "]",
      "(",
      ")",
      ",",
      ":",
      "1",
      "0x",
      ".",
      "e",
      "-",
      "_",
      "None",
      "set(",
      "inf",
      " ",
      "\n",
      "é",
      "\ud800",
    ];
    const garbage = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        const literal = parsePythonLiteral(text);
        if (literal.ok) return JSON.stringify(literal.value) !== undefined;
        return literal.error.position >= 0 && literal.error.position <= text.length && literal.error.message !== "";
      }),
      { numRuns: 2000 },
    );
  });

  it("takes time in proportion to the text, also for texts made to be slow", () => {
    const million = 1_000_000;
    const texts = [
      "'".repeat(million),
      `'${"\\".repeat(million)}`,
      `'''${"'".repeat(2)}${"a''".repeat(million / 3)}`,
      "1".repeat(million),
      `1${"_1".repeat(million / 2)}_`,
      `[${"1,".repeat(million / 2)}`,
      `{${"1:1,".repeat(million / 4)}}`,
      `{${"frozenset({".repeat(million / 11)}`,
      " ".repeat(million),
      `0x${"f".repeat(million)}`,
      `b'${"\\xff".repeat(million / 4)}'`,
      "''".repeat(million / 2),
      `1e${"9".repeat(million)}`,
    ];
    for (const text of texts) {
      const start = performance.now();
      parsePythonLiteral(text);
      expect(performance.now() - start, text.slice(0, 20)).toBeLessThan(2000);
    }
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
