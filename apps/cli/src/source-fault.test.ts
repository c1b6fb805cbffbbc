import { describe, expect, it } from "vitest";
import { renderFaults } from "./source-fault.ts";

const fault = { message: "Expected a number, got text.", path: "steps.a.timeout" };

function render(text: string, place: object, width = 80): string[] {
  const file = { name: "a.yaml", text };
  const faults = [{ ...fault, line: 0, column: 0, ...place }];
  return renderFaults(faults, { file, width, color: "red", paint: (painted) => painted });
}

describe("a fault", () => {
  it("is shown with its place, its line, a mark below what is meant, and the hint", () => {
    const place = { line: 2, column: 10, endLine: 2, endColumn: 14, hint: 'Did you mean "5m"?' };
    expect(render("steps:\ntimeout: long\n", place)).toEqual([
      "a.yaml:2:10: Expected a number, got text.",
      "    2 | timeout: long",
      "      |          ^^^^",
      '      Did you mean "5m"?',
    ]);
  });

  it("has its mark where it belongs behind tabs and wide characters", () => {
    const [, line = "", mark = ""] = render("\t名前: x", { line: 1, column: 6, endLine: 1, endColumn: 7 });
    expect(line).toBe("    1 |  名前: x");
    expect(mark).toBe("      |        ^");
  });

  it("shows only the part of a long line that matters, and moves no cursor", () => {
    const [, line = "", mark = ""] = render(`${"x".repeat(500)}\u001B[2Jbad${"y".repeat(500)}`, {
      line: 1,
      column: 505,
      endLine: 1,
      endColumn: 508,
    });
    expect(line.length).toBeLessThanOrEqual(80);
    expect(line).toMatch(/…x+\\x1b\[2Jbady+…$/);
    expect(line.slice(mark.indexOf("^"), mark.lastIndexOf("^") + 1)).toBe("bad");
  });

  it("is named by its path where the document has no lines", () => {
    expect(render("{}", {})).toEqual(["a.yaml steps.a.timeout: Expected a number, got text."]);
  });
});
