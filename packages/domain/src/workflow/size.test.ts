import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../json.ts";
import { byteLength, isLargerThan } from "./size.ts";

describe("isLargerThan", () => {
  it("knows values that fit from values that do not, but for what escapes and commas make", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (given) => {
        const value = given as Json;
        const bytes = byteLength(JSON.stringify(value));
        expect(isLargerThan(value, bytes * 2 + 2)).toBe(false);
        expect(isLargerThan(value, Math.floor(bytes / 7) - 1)).toBe(true);
      }),
    );
  });

  it("stops counting where parts are shared so often that nobody could write them down", () => {
    let value: Json = "x";
    for (let level = 0; level < 200; level++) value = [value, value];
    expect(isLargerThan(value, 1_000_000)).toBe(true);
  });

  it("takes what is nested too deep for too large", () => {
    const nested = (levels: number): Json => (levels === 0 ? 1 : [nested(levels - 1)]);
    expect(isLargerThan(nested(500), 10_000)).toBe(false);
    expect(isLargerThan(nested(501), 10_000)).toBe(true);
  });
});

describe("byteLength", () => {
  it("counts as UTF-8 does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(byteLength(text)).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });
});
