import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { chooseInput, listInput } from "./input.ts";

const file = (path: string, bytes = 1000) => ({ path, folder: path.split("/")[0] ?? "", bytes });

describe("chooseInput", () => {
  it("takes as many from each folder, and goes on where one is exhausted", () => {
    const files = [file("a/1.ts"), file("b/1.ts"), file("b/2.ts"), file("b/3.ts"), file("c/1.ts")];
    expect(chooseInput(files, 4).map(({ path }) => path)).toEqual(["a/1.ts", "b/1.ts", "b/2.ts", "c/1.ts"]);
  });

  it("leaves out what is too small or too large, and takes fewer where there are no more", () => {
    const files = [file("a/1.ts", 10), file("a/2.ts", 500), file("a/3.ts", 1_000_000)];
    expect(chooseInput(files, 5).map(({ path }) => path)).toEqual(["a/2.ts"]);
  });

  it("does not depend on the order of the list", () => {
    const files = ["a/1.ts", "b/1.ts", "a/2.ts", "c/9.ts"].map((path) => file(path));
    expect(chooseInput(files.toReversed(), 3)).toEqual(chooseInput(files, 3));
  });
});

describe("listInput", () => {
  it("lists texts, and neither packages nor hidden folders nor names that a shell would split", () => {
    const root = mkdtempSync(join(tmpdir(), "drover-input-"));
    onTestFinished(() => rmSync(root, { recursive: true }));
    for (const path of ["README.md", "a/b/c.ts", "a/x y.ts", "a/image.png", "node_modules/p/i.ts", ".git/x.md"]) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), "12345");
    }
    expect(listInput(root)).toEqual([
      { path: "README.md", folder: "top level", bytes: 5 },
      { path: "a/b/c.ts", folder: "a", bytes: 5 },
    ]);
  });
});
