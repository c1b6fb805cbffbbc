import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "./json.ts";
import { decodePayload, decodePayloadValue } from "./payload.ts";

describe("decodePayloadValue", () => {
  it.each<[string, Json]>([
    ["", ""],
    ["  \n", "  \n"],
    ["true", true],
    ["FALSE", false],
    ["True", true],
    ["null", null],
    ["Null", null],
    ["None", null],
    [" true ", true],
    ["42", 42],
    ["-7", -7],
    ["+5", 5],
    ["0", 0],
    ["-0", 0],
    ["9007199254740991", 9007199254740991],
    ["1.5", 1.5],
    [".5", 0.5],
    ["1.", 1],
    ["1e3", 1000],
    ["-2.5E-1", -0.25],
    ["007.50", 7.5],
    ['{"a": [1, {"b": null}]}', { a: [1, { b: null }] }],
    ["[]", []],
    ['"a\\/b"', "a/b"],
    ["{'command': ['echo', 'hi'], 'x': True, 'n': None}", { command: ["echo", "hi"], x: true, n: null }],
    ["(1, 2)", [1, 2]],
    ["{1, 2}", [1, 2]],
    ["set()", []],
    ["b'abc'", "abc"],
    ["'it\\'s'", "it's"],
    ["frozenset({1})", [1]],
    ["{'loss': nan, 'best': inf}", { loss: "nan", best: "inf" }],
  ])("decodes %j", (text, value) => {
    expect(decodePayloadValue(text)).toEqual(value);
  });

  it.each([
    "hello",
    "hello world",
    " padded ",
    "none",
    "nil",
    "inf",
    "-inf",
    "nan",
    "1,2",
    "1, 2",
    "2026-05-01",
    "1.2.3",
    "1e999",
    "12abc",
    "007",
    "20260501_123456",
    "0x1F",
    "1_000",
    "--5",
    "+",
    ".",
    "-",
    "e5",
    "{not json",
    "[1, 2",
    "datetime.datetime(2026, 5, 1)",
    "{'at': datetime.datetime(2026, 5, 1)}",
    "'ls' '-l'",
    "b'a' b'b'",
    "(212)",
    "('a')",
    "it's",
    '"Hello," she said',
    "<object at 0x7f>",
    "Nonesuch",
    "[1] and [2]",
  ])("keeps %j as it is", (text) => {
    expect(decodePayloadValue(text)).toBe(text);
  });

  it("loses no digit of a whole number, however deep it stands", () => {
    expect(decodePayloadValue("9007199254740993")).toBe("9007199254740993");
    expect(decodePayloadValue("-12345678901234567890")).toBe("-12345678901234567890");
    expect(
      decodePayloadValue(
        '{"id": 9007199254740993, "small": 3, "size": 1.2345678901234567, "text": "9007199254740993"}',
      ),
    ).toEqual({
      id: "9007199254740993",
      small: 3,
      size: 1.2345678901234567,
      text: "9007199254740993",
    });
    expect(decodePayloadValue("{'id': 9007199254740993}")).toEqual({ id: "9007199254740993" });
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (whole) => {
        expect(String(decodePayloadValue(String(whole)))).toBe(String(whole));
        expect(String((decodePayloadValue(`[${whole}]`) as Json[])[0])).toBe(String(whole));
      }),
    );
  });

  it("gives back every JSON object and array", () => {
    const nested = fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()));
    fc.assert(
      fc.property(nested, (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/\d{16}/.test(text));
        expect(decodePayloadValue(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("keeps text that is nested too deep, be it JSON or Python", () => {
    for (const text of [
      "[".repeat(100_000) + "]".repeat(100_000),
      `${"[".repeat(5000)}1234567890123456789${"]".repeat(5000)}`,
      `${"{'a':".repeat(500)}1${"}".repeat(500)}`,
    ]) {
      expect(decodePayloadValue(text)).toBe(text);
    }
  });

  it("never throws and always gives a value that JSON can hold", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .array(fc.constantFrom("[", "]", "{", "}", "'", '"', ":", ",", "1", "None", "true", " "))
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (any) => {
        const value = decodePayloadValue(any);
        expect(JSON.parse(JSON.stringify(value))).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("decodePayload", () => {
  it("decodes each value, and takes every key as it is", () => {
    const payload = decodePayload(JSON.parse('{"n": "1", "__proto__": "[1]", "name": "x"}') as Record<string, string>);
    expect(Object.entries(payload)).toEqual([
      ["n", 1],
      ["__proto__", [1]],
      ["name", "x"],
    ]);
  });
});
