import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { editDistance, findSimilar } from "./similar.ts";

const commands = ["task", "class", "node", "status", "up", "api"];

describe("findSimilar", () => {
  it("finds the word that was meant", () => {
    expect(findSimilar("taks", commands)).toBe("task");
    expect(findSimilar("stauts", commands)).toBe("status");
    expect(findSimilar("Node", commands)).toBe("node");
  });

  it("prefers the nearest word", () => {
    expect(findSimilar("nodes", ["notes-", "node"])).toBe("node");
  });

  it("has nothing to say about words that share too little", () => {
    expect(findSimilar("workflow", commands)).toBeUndefined();
    expect(findSimilar("ls", commands)).toBeUndefined();
    expect(findSimilar("", commands)).toBeUndefined();
  });

  it("counts insertions, deletions and replacements alike in both directions", () => {
    expect(editDistance("kitten", "sitten")).toBe(1);
    expect(editDistance("flaw", "lawn")).toBe(2);
    expect(editDistance("a", "abcd")).toBe(Number.POSITIVE_INFINITY);
    const word = fc.string({ maxLength: 8 });
    fc.assert(fc.property(word, word, (a, b) => void expect(editDistance(a, b)).toBe(editDistance(b, a))));
    fc.assert(fc.property(word, word, (a, b) => void expect(editDistance(a, b) === 0).toBe(a === b)));
  });
});
