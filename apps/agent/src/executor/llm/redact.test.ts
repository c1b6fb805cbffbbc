import { describe, expect, it } from "vitest";
import { blankRanges, createKeyBlanker, createRedactor, mapTexts } from "./redact.ts";

const keys = ["sk-0123456789/+abc"];

function redact(text: string, patterns?: string[]): string | undefined {
  const ranges = createRedactor({ keys, ...(patterns && { patterns }) }).find(text);
  return ranges && blankRanges(text, ranges);
}

describe("createRedactor", () => {
  it("blanks keys, also as a URL holds them, and bearer tokens without being asked", () => {
    const text = "a sk-0123456789/+abc b sk-0123456789%2F%2Babc c authorization: Bearer abc.def-ghi d";
    expect(redact(text)).toBe("a [redacted] b [redacted] c authorization: [redacted] d");
  });

  it("blanks e-mail addresses only when asked", () => {
    expect(redact("to ada.l+x@mail.example.org now")).toBe("to ada.l+x@mail.example.org now");
    expect(redact("to ada.l+x@mail.example.org now", ["email"])).toBe("to [redacted] now");
  });

  it("blanks what overlaps once", () => {
    expect(redact("abcdef", ["abcd", "cdef"])).toBe("[redacted]");
  });

  it("does not stop at a pattern that matches nothing at all", () => {
    expect(redact("ab12", ["x*", "\\d+"])).toBe("ab[redacted]");
  });

  it("shows nothing where a pattern would search for ever, and comes back soon", () => {
    const before = performance.now();
    expect(redact(`${"a".repeat(40)}!`, ["(a+)+$"])).toBeUndefined();
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it.each([
    ["what is no regular expression", ["("], "regular expression"],
    ["a pattern that is too long", ["a".repeat(501)], "500 characters"],
    ["too many patterns", Array.from({ length: 51 }, () => "a"), "50 patterns"],
  ])("refuses %s", (_, patterns, expected) => {
    expect(() => createRedactor({ keys, patterns })).toThrow(expected);
  });

  it("is not slowed by a long text", () => {
    const before = performance.now();
    expect(redact("a".repeat(500_000), ["email"])).toHaveLength(500_000);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describe("mapTexts", () => {
  it("reaches every text of a value, and the names of fields", () => {
    const blankKeys = createKeyBlanker(["secret-key"]);
    const value = { a: ["secret-key", 1, null], "secret-key": { b: "x secret-key y" } };
    expect(mapTexts(value, blankKeys)).toEqual({ a: ["[redacted]", 1, null], "[redacted]": { b: "x [redacted] y" } });
  });
});
