import { describe, expect, it } from "vitest";
import { patternCost } from "./pattern.ts";

describe("a regular expression", () => {
  it.each([
    "^[a-z]+$",
    "^[\\w.]+@[\\w.]+\\.[a-z]{2,}$",
    "^\\d{4}-\\d{2}$",
    "a(b|c)?d",
    "^(?:v)?\\d+(\\.\\d+)?$",
    "[()+*]",
  ])("that ends soon is taken: %s", (pattern) => expect(patternCost(pattern)).not.toHaveProperty("fault"));

  it.each([
    "(a+)+$",
    "(a|a)*b",
    "^(\\w+\\s?)*$",
    "(a?){50}a{50}",
    "(x(a+)y)+",
    "(a)\\1",
    "(?=a)b",
    "([",
    "a*".repeat(9),
    "a?".repeat(40),
  ])("that could take for ever is refused: %s", (pattern) => expect(patternCost(pattern)).toHaveProperty("fault"));

  it("costs more with each repetition, and where it may start anywhere", () => {
    expect(patternCost("^a+b+$")).toEqual({ factor: 1, power: 2 });
    expect(patternCost("a+b+$")).toEqual({ factor: 1, power: 3 });
  });
});
