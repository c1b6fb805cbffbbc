import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { workflowFormats } from "@drover/domain/workflow/definition";
import type { Json } from "@drover/domain/json";
import { readWorkflow } from "./read-workflow.ts";
import { faultsOf, messagesOf, readExample } from "./testing.ts";

const examples = {
  "documents.yaml": "drover",
  "review.json": "dspy",
  "article.yaml": "configurable-agents",
  "hiring.yaml": "agent-orchestration-engine",
} as const;

describe("the format of a document", () => {
  it.each(Object.entries(examples))("of %s is recognised as %s, as text and as an object", (file, format) => {
    const text = readExample(file);
    const fromText = readWorkflow({ text });
    expect(fromText).toMatchObject({ format, warnings: [] });
    expect(fromText).not.toHaveProperty("faults");
  });

  it("is told where there is none", () => {
    expect(faultsOf("jobs: []\n")).toEqual(["1:1 Expected a workflow of a known format, got none of their keys."]);
    expect(messagesOf([1])).toEqual(["Expected a workflow (an object), got a list."]);
    expect(faultsOf("drover: workflow/v2\nname: x\nsteps: { a: { value: 1 } }\n")).toEqual([
      '1:9 Expected "workflow/v1", got "workflow/v2".',
    ]);
  });

  it("is none of an environment, which is told once", () => {
    expect(faultsOf("drover: environment/v1\nname: x\nservices: { a: { image: redis } }\n")).toEqual([
      "1:9 Expected a workflow, got an environment (environment/v1).",
    ]);
  });

  it("of an object is read the same, with paths instead of lines", () => {
    const json = JSON.parse(readExample("review.json")) as Json;
    expect(readWorkflow({ json })).toEqual(readWorkflow({ text: readExample("review.json") }));
    const reading = readWorkflow({ json: { drover: "workflow/v1", name: "x", steps: { a: { value: "${b}" } } } });
    expect(reading).toMatchObject({ faults: [{ line: 0, column: 0, path: "steps.a.value" }] });
  });
});

describe("a reader of anything", () => {
  const words = fc.constantFrom(
    "steps",
    "nodes",
    "edges",
    "agents",
    "drover",
    "schema_version",
    "flow",
    "state",
    "fields",
    "id",
    "name",
    "type",
    "needs",
    "routes",
    "when",
    "to",
    "from",
    "loop",
    "each",
    "llm",
    "run",
    "value",
    "input",
    "output",
    "prompt",
    "workflow/v1",
    "1.0",
    "a",
    "${steps.a.output}",
    "{a}",
    "$ref",
    "#",
    "pattern",
  );
  const leaf = fc.oneof(
    words,
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const json = fc.letrec<{ any: Json }>((tie) => ({
    any: fc.oneof(
      { depthSize: "medium" },
      leaf,
      fc.array(tie("any"), { maxLength: 4 }),
      fc.dictionary(words, tie("any"), { maxKeys: 5 }),
    ),
  })).any;

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(readWorkflow({ text })).toHaveProperty("faults");
      }),
    );
  });

  it.each(workflowFormats)("never throws, whatever the object in the format %s", (format) => {
    fc.assert(
      fc.property(json, (value) => {
        const reading = readWorkflow({ json: value, format });
        expect("definition" in reading || reading.faults.length > 0).toBe(true);
        expect(readWorkflow({ text: stringify(value), format })).toBeDefined();
      }),
      { numRuns: 150 },
    );
  });

  it.each(Object.keys(examples))(
    "never throws on %s with a part changed, and what it takes has only needs that exist",
    (file) => {
      const lines = readExample(file).split("\n");
      fc.assert(
        fc.property(
          fc.nat(lines.length - 1),
          fc.nat(lines.length - 1),
          fc.constantFrom("drop", "swap", "double"),
          (one, other, change) => {
            const text = [...lines];
            if (change === "drop") text.splice(one, 1);
            else if (change === "double") text.splice(one, 0, text[other] ?? "");
            else [text[one], text[other]] = [text[other] ?? "", text[one] ?? ""];
            const reading = readWorkflow({ text: text.join("\n") });
            const steps = "faults" in reading ? [] : reading.definition.steps;
            expect("faults" in reading ? reading.faults.length : steps.length).toBeGreaterThan(0);
            const ids = new Set(steps.map(({ id }) => id));
            expect(ids.size).toBe(steps.length);
            for (const { needs = [] } of steps) for (const { from } of needs) expect(ids).toContain(from);
          },
        ),
        { numRuns: 150 },
      );
    },
  );
});
