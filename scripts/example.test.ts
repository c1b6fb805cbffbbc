import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readEnvironment } from "@drover/environment/read-environment";
import { readWorkflow } from "@drover/workflow/read-workflow";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "../docs/example");
const names = readdirSync(folder);
const environments = names.filter((name) => name.endsWith("environment.yaml"));
const workflows = names.filter((name) => !environments.includes(name));

describe("docs/example", () => {
  it.each(workflows)("%s compiles, without a warning", (name) => {
    const reading = readWorkflow({ text: readFileSync(join(folder, name), "utf8") });
    expect(reading).toMatchObject({ format: "drover", warnings: [] });
  });

  it.each(environments)("%s is read without a warning", (name) => {
    const reading = readEnvironment({ text: readFileSync(join(folder, name), "utf8") });
    expect(reading).toMatchObject({ declaration: {}, warnings: [] });
  });

  it.each(names)("%s says on its first line what it shows", (name) => {
    expect(readFileSync(join(folder, name), "utf8")).toMatch(/^# \S.{40,}/);
  });

  it("is shown in full by the README, environments by their page", () => {
    const read = (path: string) => readFileSync(join(import.meta.dirname, "..", path), "utf8");
    const [readme, page] = [read("README.md"), read("docs/environment.md")];
    expect(workflows.filter((name) => !readme.includes(`docs/example/${name}`))).toEqual([]);
    expect(environments.filter((name) => !page.includes(`example/${name}`))).toEqual([]);
  });
});
