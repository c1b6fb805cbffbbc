import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readWorkflow } from "@drover/workflow/read-workflow";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "../docs/example");
const names = readdirSync(folder);

describe("docs/example", () => {
  it.each(names)("%s compiles, without a warning", (name) => {
    const reading = readWorkflow({ text: readFileSync(join(folder, name), "utf8") });
    expect(reading).toMatchObject({ format: "drover", warnings: [] });
  });

  it.each(names)("%s says on its first line what it shows", (name) => {
    expect(readFileSync(join(folder, name), "utf8")).toMatch(/^# \S.{40,}/);
  });

  it("is shown in full by the README", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
    expect(names.filter((name) => !readme.includes(`docs/example/${name}`))).toEqual([]);
  });
});
