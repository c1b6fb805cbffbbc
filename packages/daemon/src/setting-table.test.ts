import { describe, expect, it } from "vitest";

import { flag, integer, oneOf, text } from "./kind.ts";
import { markdownTable, replaceGenerated } from "./markdown.ts";
import { settingTable } from "./setting-table.ts";

describe("settingTable", () => {
  it("lists name, default and meaning of every setting, and the file", () => {
    const table = settingTable({
      insecure: { name: "DROVER_INSECURE", kind: flag(), default: false, doc: "Listen beyond loopback." },
      token: { name: "DROVER_TOKEN", kind: text(), secret: true, doc: "The login." },
      port: { name: "DROVER_PORT", kind: integer({ min: 1 }), optional: true, doc: "Fixed | free." },
      logLevel: { name: "DROVER_LOG_LEVEL", kind: oneOf(["info", "debug"]), default: "info", doc: "How much." },
    });
    expect(table.split("\n").slice(0, 6)).toEqual([
      "| Setting | Default | Meaning |",
      "| --- | --- | --- |",
      "| `DROVER_INSECURE` | `false` | Listen beyond loopback. Expects true or false. |",
      "| `DROVER_TOKEN` | **required** | The login. Expects a text. Never logged. |",
      "| `DROVER_PORT` | not set | Fixed \\| free. Expects a whole number of at least 1. |",
      "| `DROVER_LOG_LEVEL` | `info` | How much. Expects one of info, debug. |",
    ]);
    expect(table).toContain("| `DROVER_CONFIG` | not set |");
  });
});

describe("the meaning of a setting", () => {
  it("keeps the stars of a pattern", () => {
    const doc = "By GPU: GPU-5d5ba0d6=4,*L4*=2; `*=1` for all others.";
    const table = settingTable({ sharing: { name: "DROVER_SHARING", kind: text(), optional: true, doc } });
    expect(table).toContain("GPU-5d5ba0d6=4,\\*L4\\*=2; `*=1` for");
  });
});

describe("replaceGenerated", () => {
  const page = "# Page\n<!-- generated: settings -->\nold\n<!-- end: settings -->\nrest\n";

  it("replaces what stands between its two lines, and again the same way", () => {
    const once = replaceGenerated(page, { name: "settings", body: markdownTable(["A"], [["1"]]) });
    expect(once).toBe("# Page\n<!-- generated: settings -->\n| A |\n| --- |\n| 1 |\n<!-- end: settings -->\nrest\n");
    expect(replaceGenerated(once, { name: "settings", body: "old" })).toBe(page);
  });

  it("says which lines a page lacks", () => {
    expect(() => replaceGenerated(page, { name: "metrics", body: "" })).toThrow("<!-- generated: metrics -->");
  });
});
