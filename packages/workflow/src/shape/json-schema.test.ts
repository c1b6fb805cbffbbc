import { describe, expect, it } from "vitest";
import { createReport } from "@drover/document/source/report";
import { readObject } from "@drover/document/source/object";
import type { Json } from "@drover/domain/json";
import { jsonSchema } from "./json-schema.ts";

function read(json: Json) {
  const report = createReport();
  const value = readObject(json, report);
  return {
    schema: value && jsonSchema().read(value, report),
    faults: report.faults.map(({ path, message }) => `${path} ${message}`),
  };
}

describe("the short form of a schema", () => {
  it("names properties with their types; they must be there unless they have a default or a question mark", () => {
    expect(
      read({
        a: "text",
        b: "number = 0.5",
        c: "list[integer]?",
        d: { type: "string", enum: ["x"] },
        e: "text = yes",
        f: "any",
      }).schema,
    ).toEqual({
      type: "object",
      properties: {
        a: { type: "string" },
        b: { type: "number", default: 0.5 },
        c: { type: "array", items: { type: "integer" } },
        d: { type: "string", enum: ["x"] },
        e: { type: "string", default: "yes" },
        f: {},
      },
      required: ["a", "d", "f"],
      additionalProperties: false,
    });
  });

  it("is told from JSON Schema itself", () => {
    for (const schema of [
      { type: "object", required: ["a"] },
      { properties: {} },
      { type: "string" },
      { $ref: "#/$defs/a", $defs: { a: {} } },
      {},
    ]) {
      expect(read(schema).schema).toEqual(schema);
    }
    expect(read({ type: "text", name: "text" }).schema).toMatchObject({ required: ["type", "name"] });
  });

  it("says what is wrong with a type", () => {
    expect(read({ a: "strng" }).faults).toEqual([expect.stringMatching(/^a Expected a type, .*got "strng"\.$/)]);
    expect(read({ a: "number = many", b: "list[list[text]]" }).faults).toHaveLength(2);
  });
});

describe("a JSON Schema", () => {
  it.each([
    [
      { type: "object", properties: { a: { type: "strin" } } },
      'properties.a.type Expected one of string, number, integer, boolean, array, object, null, got "strin". Did you mean "string"?',
    ],
    [
      { type: "object", propertes: {} },
      'propertes Expected a keyword of JSON Schema, got "propertes". Did you mean "properties"?',
    ],
    [{ type: "object", required: "a" }, 'required Expected a list of different texts, got "a".'],
    [
      { type: "object", properties: { a: { minLength: -1 } } },
      "properties.a.minLength Expected a whole number from 0, got -1.",
    ],
    [
      { type: "object", properties: { a: { $ref: "#/$defs/b" } } },
      "properties.a.$ref Expected a reference to a part of this schema",
    ],
    [
      { type: "object", properties: { a: { pattern: "(a*)*" } } },
      "properties.a.pattern Expected no choice or repetition inside of a repetition.",
    ],
    [{ type: "object", allOf: [] }, "allOf Expected a list of schemas, got []."],
    [{ type: "object", $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }] } } }, "leads back to itself"],
  ])("is itself checked: %j", (schema, fault) => {
    expect(read(schema).faults.join("\n")).toContain(fault);
  });
});
