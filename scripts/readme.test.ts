import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { readWorkflow } from "@drover/workflow/read-workflow";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const pages = ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/operations.md", "docs/security.md"];

describe("documentation", () => {
  it.each(pages)("%s links only to files that exist", (page) => {
    const text = readFileSync(join(root, page), "utf8");
    const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].flatMap(([, to]) => (to === undefined ? [] : [to]));
    const missing = links.filter((to) => !/^https?:/.test(to) && !existsSync(resolve(root, dirname(page), to)));
    expect(missing).toEqual([]);
  });

  it("names only tests that exist", () => {
    const text = readFileSync(join(root, "README.md"), "utf8");
    const files = [...text.matchAll(/`([\w./-]+\.test\.ts)`/g)].flatMap(([, file]) =>
      file === undefined ? [] : [file],
    );
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it("shows a workflow that compiles", () => {
    const text = readFileSync(join(root, "README.md"), "utf8");
    const [, source = ""] = /```yaml\n(drover: workflow[\s\S]*?)```/.exec(text) ?? [];
    expect(readWorkflow({ text: source })).toMatchObject({ format: "drover", definition: { name: "digest" } });
  });

  it("shows a worker that compiles", () => {
    const text = readFileSync(join(root, "README.md"), "utf8");
    const [, code = ""] = /<!-- worker -->\s*```ts\n([\s\S]*?)```/.exec(text) ?? [];
    expect(code).toContain("createWorker");
    const folder = mkdtempSync(join(root, "scripts", "readme-"));
    try {
      writeFileSync(join(folder, "worker.ts"), code);
      const options = { extends: join(root, "tsconfig.json"), include: ["worker.ts"], exclude: [] };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
      const tsc = join(root, "node_modules/.bin/tsc");
      expect(execFileSync(tsc, ["-p", folder], { encoding: "utf8" })).toBe("");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
