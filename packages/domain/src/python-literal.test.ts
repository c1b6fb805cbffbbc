import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "./json.ts";
import { parsePythonLiteral } from "./python-literal.ts";

function read(text: string): Json {
  const literal = parsePythonLiteral(text);
  if (!literal.ok) throw new Error(`${text}: ${literal.error.message} at ${literal.error.position}`);
  return literal.value;
}

function positionOf(text: string): number | undefined {
  const literal = parsePythonLiteral(text);
  return literal.ok ? undefined : literal.error.position;
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
    [String.raw`b'\é'`, 3],
    [String.raw`br'\é'`, 4],
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
});
