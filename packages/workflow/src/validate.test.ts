import { describe, expect, it } from "vitest";
import { validateJson, withDefaults } from "./validate.ts";

const person = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 2 },
    tags: { type: "array", items: { type: "string" } },
    age: { type: "integer", default: 7 },
  },
  required: ["name"],
  additionalProperties: false,
};

describe("a value", () => {
  it("that fits has no faults", () => {
    expect(validateJson(person, { name: "Ada", tags: ["a"] })).toEqual([]);
  });

  it("is told everything that is wrong with it, innermost first, with paths", () => {
    expect(validateJson(person, { name: "A", tags: ["a", 5], extra: 1 }).toSorted()).toEqual([
      'The value: Property "extra" is not expected.',
      "name: String is too short (1 < 2).",
      'tags[1]: Expected "string", got number.',
    ]);
    expect(validateJson(person, {})).toEqual(['The value: It does not have required property "name".']);
    expect(validateJson(person, "x")).toEqual(['The value: Expected "object", got string.']);
  });

  it("is not checked by a schema that is wrong itself", () => {
    expect(validateJson({ type: "text" }, "x")).toEqual([
      'schema.type: Expected one of string, number, integer, boolean, array, object, null, got "text". Did you mean "string"?',
    ]);
    expect(validateJson({ $ref: "#" }, "x")[0]).toContain("leads back to itself");
    expect(validateJson({ $ref: "https://example.com/schema" }, "x")[0]).toContain("a part of this schema");
  });

  it("is checked by keywords alone, whatever else its schema tells", () => {
    const schema = {
      type: "object",
      properties: { id: { type: "string" } },
      "x-note": { $ref: "nowhere", id: "http://[" },
      example: { id: "http://[" },
    };
    expect(validateJson(schema, { id: "a" })).toEqual([]);
    expect(validateJson(schema, { id: 1 })).toEqual(['id: Expected "string", got number.']);
    expect(validateJson({ $id: "http://[" }, 1)[0]).toContain("a schema without addresses of its own");
    expect(validateJson({ $ref: "#/x-parts/a", "x-parts": { a: {} } }, 1)[0]).toContain("a part of this schema");
    expect(validateJson({ $ref: "#/$defs/a b", $defs: { "a b": { type: "string" } } }, 1)).toEqual([
      'The value: Expected "string", got number.',
    ]);
  });

  it("may be as deep as its schema refers to itself", () => {
    const tree = { type: "object", properties: { next: { $ref: "#" } }, additionalProperties: false };
    expect(validateJson(tree, { next: { next: {} } })).toEqual([]);
    expect(validateJson(tree, { next: { next: 1 } })).toEqual(['next.next: Expected "object", got number.']);
    const deep = JSON.parse(`${'{"next":'.repeat(2000)}{}${"}".repeat(2000)}`) as object;
    expect(validateJson(tree, deep as never)[0]).toContain("levels");
  });

  it("is refused where patterns would take too long on it, and soon", () => {
    const email = { type: "string", pattern: "[\\w.]+@[\\w.]+\\.[a-z]+" };
    expect(validateJson(email, "ada@example.org")).toEqual([]);
    const start = performance.now();
    expect(validateJson(email, "a".repeat(100_000))[0]).toContain("Expected shorter texts");
    expect(
      validateJson(
        { uniqueItems: true },
        Array.from({ length: 6000 }, (_, n) => n),
      )[0],
    ).toContain("Expected shorter");
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it("gets the defaults that it lacks, at every level", () => {
    const schema = {
      properties: { a: { default: 1 }, b: { properties: { c: { default: [] } } }, d: { items: person } },
    };
    expect(withDefaults(schema, { b: {}, d: [{ name: "Ada" }] })).toEqual({
      a: 1,
      b: { c: [] },
      d: [{ name: "Ada", age: 7 }],
    });
    expect(withDefaults(schema, "text")).toBe("text");
  });
});
