import { describe, expect, it } from "vitest";
import { createLines } from "./position.ts";
import { createReport } from "./report.ts";
import { readText } from "./text.ts";

function setup(text: string) {
  const report = createReport(createLines(text));
  const value = readText(text, report);
  return { value, faults: report.faults.map(({ line, column, message }) => `${line}:${column} ${message}`), report };
}

describe("a document", () => {
  it("is YAML 1.2 or JSON, with the place of each value", () => {
    const { value, faults } = setup('on: yes\n"list": [1, 2.5, null]\n');
    expect(faults).toEqual([]);
    expect(value?.json).toEqual({ on: "yes", list: [1, 2.5, null] });
    expect(value?.fields?.get("list")?.value.items?.[1]).toMatchObject({
      path: ["list", 1],
      span: { start: 20, end: 23 },
    });
    expect(setup('{\n\t"a": "\\ud83d\\ude00",\n\t"b": [\n\t\ttrue\n\t]\n}').value?.json).toEqual({
      a: "😀",
      b: [true],
    });
  });

  it("tells where its syntax is broken", () => {
    expect(setup("a: [1, 2\nb: 3\n").faults[0]).toMatch(/^2:\d+ Expected YAML or JSON: /);
    expect(setup("a: [1,,2]").faults).toEqual(["1:7 Expected a value, got a comma."]);
    expect(setup("").faults).toEqual(["1:1 Expected a document, got an empty document."]);
    expect(setup("a: 1\n---\nb: 2\n").faults).toEqual(["2:1 Expected one YAML document, got a second one."]);
  });

  it("may write its keys and values in quotes", () => {
    expect(setup(`"a": "b"\n"c": 'd'\n'e': ["f", 'g',\n "h"]\n`).value?.json).toEqual({
      a: "b",
      c: "d",
      e: ["f", "g", "h"],
    });
    expect(setup(`a: "b" "c"\n`).faults).toEqual(["1:8 Expected a separator between two texts, got none."]);
  });

  it("has each key once", () => {
    expect(setup("a: 1\nb:\n  c: 1\n  c: 2\n").faults).toEqual(['4:3 Expected each key once, got "c" again.']);
  });

  it("may not hold what the database cannot", () => {
    expect(setup('a: "\\0"\n').faults[0]).toContain("without NUL");
    expect(setup('a: "\\ud800"\n').faults[0]).toContain("whole characters");
    expect(setup("a: .nan\n").faults[0]).toContain("64-bit float");
    expect(setup("a: 12345678901234567890\n").faults[0]).toContain('got "12345678901234567890"');
  });

  it("takes aliases, but neither circles nor bombs of them", () => {
    expect(setup("a: &x [1]\nb: *x\n").value?.json).toEqual({ a: [1], b: [1] });
    expect(setup("a: &x [*x]\n").faults[0]).toMatch(/levels|anchor/);
    const bomb = Array.from({ length: 20 }, (_, n) => `a${n}: &a${n} [${`*a${n - 1},`.repeat(n === 0 ? 0 : 9)}]`);
    expect(setup(bomb.join("\n")).faults[0]).toContain("Expected at most 300000 values");
  });

  it.each([
    ["[".repeat(200_000), "levels"],
    [`${"[".repeat(5000)}${"]".repeat(5000)}`, "levels"],
    ["- ".repeat(50_000), "levels"],
    ["{a: ".repeat(50_000), "levels"],
    ["? ".repeat(50_000), "levels"],
    [`[${"1,".repeat(400_000)}]`, "values"],
  ])("that is nested beyond reason ends in a fault and not in a crash (%#)", (text, word) => {
    expect(setup(text).faults[0]).toContain(`Expected at most`);
    expect(setup(text).faults[0]).toContain(word);
  });

  it("is at most a mebibyte", () => {
    expect(setup(`a: ${"x".repeat(1_048_576)}`).faults).toEqual([
      "1:1 Expected a document of at most 1048576 bytes, got 1048579.",
    ]);
  });

  it("keeps __proto__ as a key like any other", () => {
    const { value } = setup("__proto__: 1\n");
    expect(Object.keys(value?.json ?? {})).toEqual(["__proto__"]);
  });
});

describe("a part of a text", () => {
  it.each([
    ["plain", "a: one two\n", "1:8"],
    ["double quotes", 'a: "one two"\n', "1:9"],
    ["single quotes", "a: 'one two'\n", "1:9"],
    ["a literal block", "a: |\n  first\n\n    one two\n", "4:9"],
    ["a literal block of one line", "a: |-\n    one two\n", "2:9"],
    ["escapes, which have no fixed place", 'a: "\\u006fne two"\n', "1:4"],
    ["a folded block, which has none either", "a: >\n  one two\n", "1:4"],
  ])("is found in %s", (_, text, place) => {
    const { value, report } = setup(text);
    const at = value?.fields?.get("a")?.value;
    expect(at).toBeDefined();
    if (at === undefined) return;
    report.addInside(at, { offset: String(at.json).indexOf("two"), length: 3 }, "here");
    expect(report.faults.map(({ line, column }) => `${line}:${column}`)).toEqual([place]);
  });
});
