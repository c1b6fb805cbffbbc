import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { commands } from "./catalog.ts";
import { renderCliPage } from "./page.ts";

describe("docs/cli.md", () => {
  it("holds every command with its flags and examples, as they are now", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/cli.md"), "utf8");
    for (const { name, summary, options, examples } of commands) {
      const section = page.split(`\n## ${name}\n`)[1]?.split("\n## ")[0] ?? "";
      expect(section, name).toContain(summary);
      for (const flag of Object.keys(options)) expect(section, name).toContain(`--${flag}`);
      for (const { line } of examples) expect(section, name).toContain(line);
    }
  });

  it("is rendered with tables that no cell breaks", () => {
    const rows = renderCliPage()
      .split("\n")
      .filter((line) => line.startsWith("|"));
    expect(rows.length).toBeGreaterThan(100);
    for (const row of rows) expect(row.replaceAll("\\|", "").match(/\|/g)?.length, row).toBeGreaterThanOrEqual(3);
  });
});
