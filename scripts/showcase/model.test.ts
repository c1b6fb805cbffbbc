import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readWorkflow } from "@drover/workflow/read-workflow";
import { describe, expect, it } from "vitest";
import { chooseModel, withModel } from "./model.ts";

const example = readFileSync(join(import.meta.dirname, "../../docs/example/document-report.yaml"), "utf8");

describe("the model of the demo", () => {
  it("is that of the provider whose key there is, by any of its names", () => {
    expect(chooseModel({ ANTHROPIC_API_KEY: "k" }).model).toBe("anthropic/claude-haiku-4-5");
    expect(chooseModel({ OPENAI_API_KEY: " ", GEMINI_API_KEY: "k" }).model).toBe("google/gemini-2.5-flash");
    expect(chooseModel({ GEMINI_API_KEY: "k-secret" }).told).not.toContain("k-secret");
  });

  it("is the echo without any, and that is said", () => {
    const { model, told } = chooseModel({ HOME: "/root" });
    expect(model).toBeUndefined();
    expect(told).toMatch(/^no provider key found .*: the echo provider answers/);
  });

  it("stands in every call of the example, with the echo behind it", () => {
    const reading = readWorkflow({ text: withModel(example, "openai/gpt-4o-mini") });
    if ("faults" in reading) throw new Error(JSON.stringify(reading.faults));
    const models = reading.definition.steps.flatMap(({ work }) => (work.kind === "llm" ? [work.models] : []));
    expect(models).toHaveLength(2);
    for (const list of models)
      expect(list).toEqual([
        { provider: "openai", model: "gpt-4o-mini" },
        { provider: "echo", model: "echo" },
      ]);
  });
});
