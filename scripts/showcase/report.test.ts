import { describe, expect, it } from "vitest";
import { renderReport } from "./report.ts";

describe("the report", () => {
  it("has a section for each document, and says where a summary is missing", () => {
    const documents = ["a", "b"].map((name) => ({ file: `${name}.md`, title: name, words: 1234, start: "" }));
    const report = { documents, summaries: [{ summary: "About a." }, null], overview: "Both.", words: 2468 };
    expect(renderReport(report, { model: "echo/echo", run: "run-1", cost: "0.1 USD" })).toBe(
      [
        "# Report on 2 documents",
        "2,468 words; summaries by echo/echo; run run-1, 0.1 USD.",
        "Both.",
        "## a\n\n`a.md`, 1,234 words\n\nAbout a.",
        "## b\n\n`b.md`, 1,234 words\n\nNo summary: the call failed.\n",
      ].join("\n\n"),
    );
  });

  it("takes what documents and models say for text, not for markup", () => {
    const documents = [{ file: "a.md", title: "x\n# y", words: 1, start: "" }];
    const summaries = [{ summary: "<img src=x> [link](http://x) *b*" }];
    const text = renderReport({ documents, summaries, overview: "", words: 1 }, { model: "m", run: "r", cost: "c" });
    expect(text).toContain(String.raw`## x \# y`);
    expect(text).toContain(String.raw`\<img src=x\> \[link\](http://x) \*b\*`);
  });
});
