import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Json } from "@drover/domain/json";
import { editorSchema } from "./editor-schema.ts";
import { readExample } from "./testing.ts";
import { validateJson } from "./validate.ts";

describe("the schema for editors", () => {
  const schema = editorSchema();

  it("takes the example", () => {
    expect(validateJson(schema, parse(readExample("documents.yaml")) as Json)).toEqual([]);
  });

  it("refuses a key that no step has, and a step without work", () => {
    const wrong = { drover: "workflow/v1", name: "x", steps: { a: { value: 1, tiemout: "1m" } } };
    expect(validateJson(schema, wrong).join("\n")).toContain('"tiemout" is not expected');
    expect(validateJson(schema, { drover: "workflow/v1", name: "x", steps: { a: {} } })).not.toEqual([]);
  });
});
