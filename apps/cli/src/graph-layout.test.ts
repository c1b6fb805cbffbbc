import { describe, expect, it } from "vitest";
import { layoutGraph } from "./graph-layout.ts";

/** "b: a" is a step b that needs a. */
function draw(...lines: string[]): string[] {
  const steps = lines.map((line) => {
    const [id = "", needs = ""] = line.split(":");
    return { id, needs: needs.split(" ").filter(Boolean) };
  });
  return layoutGraph(steps).map(({ index, prefix, joins }) =>
    [prefix + (steps[index]?.id ?? ""), ...(joins.length > 0 ? [`<- ${joins.join(" ")}`] : [])].join(" "),
  );
}

describe("the layout of a graph", () => {
  it("puts steps that follow each other below each other", () => {
    expect(draw("a", "b: a", "c: b")).toEqual(["a", "b", "c"]);
  });

  it("indents branches, and comes back where they come together", () => {
    expect(draw("list", "sum: list", "check: sum", "count: list", "report: check count", "send: report")).toEqual([
      "list",
      "├─ sum",
      "│  check",
      "└─ count",
      "report <- check count",
      "send",
    ]);
  });

  it("puts a step that may be reached on two ways behind both, also where one of them is short", () => {
    expect(draw("judge", "review: judge", "report: judge review")).toEqual([
      "judge",
      "└─ review",
      "report <- judge review",
    ]);
  });

  it("draws forks inside forks, and several roots", () => {
    expect(draw("a", "b", "c: b", "d: b", "e: c d", "f: a e")).toEqual([
      "├─ a",
      "└─ b",
      "   ├─ c",
      "   └─ d",
      "   e <- c d",
      "f <- a e",
    ]);
  });

  it("holds every step once, whatever the order in which they were written, and goes by no unknown need", () => {
    expect(draw("end: b c", "c: a", "b: a gone", "a")).toEqual(["a", "├─ c", "└─ b", "end <- b c"]);
  });

  it("draws 10,000 steps in a row, and as many beside each other, in no time", () => {
    const row = Array.from({ length: 10_000 }, (_, at) => (at === 0 ? "s0" : `s${at}: s${at - 1}`));
    const fan = ["a", ...Array.from({ length: 10_000 }, (_, at) => `b${at}: a`)];
    const startedAt = performance.now();
    expect(draw(...row).at(-1)).toBe("s9999");
    expect(draw(...fan)).toHaveLength(10_001);
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });
});
