import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collectOutputs, outputPath } from "./output.ts";
import { temporaryFolder } from "./testing.ts";

function setup() {
  const folder = temporaryFolder();
  const notes: string[] = [];
  const collect = (...paths: string[]) =>
    collectOutputs(
      paths.map((path) => ({ path })),
      { folder, workDir: "/workspace" },
      (text) => void notes.push(text),
    );
  return { folder, notes, collect };
}

describe("outputs", () => {
  it("lie below the working directory, by relative path or as the task sees it", () => {
    expect(outputPath("a/../b/c.json", "/workspace")).toBe("b/c.json");
    expect(outputPath("/workspace/x", "/workspace")).toBe("x");
    for (const path of [
      "..",
      "../x",
      "a/../../x",
      "/etc/passwd",
      "/workspace",
      "/workspace/../x",
      ".",
      "",
      "/workspacex/y",
    ]) {
      expect(outputPath(path, "/workspace"), path).toBeUndefined();
    }
    expect(outputPath("/x", "relative")).toBeUndefined();
  });

  it("never lie outside, whatever the path", () => {
    const part = fc.constantFrom("..", ".", "a", "", "workspace", "/", "b.json");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const inside = outputPath(parts.join("/"), "/workspace");
        expect(inside === undefined || join("/workspace", inside).startsWith("/workspace/")).toBe(true);
      }),
    );
  });

  it("are listed by path where two JSON files share a name", async () => {
    const { folder, collect } = setup();
    mkdirSync(join(folder, "a"));
    for (const path of ["a/r.json", "r.json", "s.json"]) writeFileSync(join(folder, path), JSON.stringify(path));
    const { outputsSummary } = await collect("a/r.json", "r.json", "/workspace/s.json");
    expect(outputsSummary).toEqual({ "a/r.json": "a/r.json", "r.json": "r.json", "s.json": "s.json" });
  });

  it("are listed without contents where a JSON file is broken or large", async () => {
    const { folder, collect } = setup();
    writeFileSync(join(folder, "broken.json"), "{");
    writeFileSync(join(folder, "large.json"), JSON.stringify("x".repeat(300_000)));
    const { outputs, outputsSummary } = await collect("broken.json", "large.json");
    expect(outputs.map(({ sizeBytes }) => sizeBytes)).toEqual([1, 300_002]);
    expect(outputsSummary).toEqual({});
  });

  it("are refused behind links that lead out, and taken behind links that stay", async () => {
    const { folder, collect, notes } = setup();
    writeFileSync(join(folder, "real.txt"), "x");
    symlinkSync("real.txt", join(folder, "inside.txt"));
    symlinkSync("/etc/passwd", join(folder, "outside.txt"));
    symlinkSync("/", join(folder, "root"));
    const { outputs } = await collect("inside.txt", "outside.txt", "root/etc/passwd", "missing.txt");
    expect(outputs.map(({ path }) => path)).toEqual(["inside.txt"]);
    expect(notes).toHaveLength(3);
  });
});
