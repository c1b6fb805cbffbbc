import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { editorSchema } from "./editor-schema.ts";
import { readWorkflow } from "./read-workflow.ts";

const page = readFileSync(new URL("../../../docs/workflow.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, block = ""]) => block);

describe("docs/workflow.md", () => {
  it.each(blocks)("shows what compiles: %s", (block) => {
    const text = block.startsWith("drover:") ? block : `drover: workflow/v1\nname: shown\n${block}`;
    expect(readWorkflow({ text })).not.toHaveProperty("faults");
  });

  it("names every key of a workflow and of a step", () => {
    const { properties, $defs } = editorSchema() as { properties: object; $defs: { step: { properties: object } } };
    const keys = [...Object.keys(properties), ...Object.keys($defs.step.properties)];
    expect(keys.filter((key) => !new RegExp(`\`${key}\\b`).test(page))).toEqual([]);
  });
});
