import { describe, expect, it } from "vitest";
import { renderFacts, renderTable } from "./table.ts";
import { cutText, textWidth } from "./text-width.ts";

const columns = [
  { heading: "ID" },
  { heading: "COUNT", align: "right" as const },
  { heading: "NOTE", isFlexible: true },
];

describe("a table", () => {
  it("aligns its columns and ends no line in blanks", () => {
    const rows = [
      ["a", "1", "short"],
      ["longer", "12345", ""],
    ];
    expect(renderTable({ columns, rows })).toEqual(["ID      COUNT  NOTE", "a           1  short", "longer  12345"]);
  });

  it("cuts flexible columns to the width of a terminal, and nothing in a pipe", () => {
    const rows = [["a", "1", "a note that is much too long for this terminal"]];
    expect(renderTable({ columns, rows, width: 30 })).toEqual(["ID  COUNT  NOTE", "a       1  a note that is muc…"]);
    expect(renderTable({ columns, rows })[1]).toContain("for this terminal");
    for (const line of renderTable({ columns, rows, width: 30 })) expect(textWidth(line)).toBeLessThanOrEqual(30);
  });

  it("counts wide characters as two columns and marks as none", () => {
    const rows = [
      ["日本", "1", "x"],
      ["e\u0301", "2", "y"],
    ];
    expect(renderTable({ columns, rows })).toEqual(["ID    COUNT  NOTE", "日本      1  x", "e\u0301         2  y"]);
    expect(cutText("日本語", 5)).toBe("日本…");
  });

  it("shows control characters instead of obeying them", () => {
    const [, line] = renderTable({ columns, rows: [["a\nb", "1", "\u001B[31mred"]] });
    expect(line).toBe("a\\nb      1  \\x1b[31mred");
  });

  it("paints after it has aligned", () => {
    const paint = (text: string, color: string | undefined) => (color === undefined ? text : `<${text}>`);
    const lines = renderTable({
      columns: [{ heading: "S" }, { heading: "T" }],
      rows: [[{ text: "ok", color: "green" }, "x"]],
      paint,
    });
    expect(lines).toEqual(["<S>   <T>", "<ok>  x"]);
  });
});

describe("facts", () => {
  it("stand in two columns", () => {
    expect(
      renderFacts(
        [
          ["Id", "t1"],
          ["State", "failed"],
        ],
        (text) => text,
      ),
    ).toEqual(["Id     t1", "State  failed"]);
  });
});
