import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../json.ts";
import { escapeText, parseTemplate, templateFaults, templateReferences } from "./template.ts";
import { render } from "./template-render.ts";
import type { Scope } from "./reference.ts";

const input = { name: "Ada", count: 3, list: [1, "two"], flag: true, none: null, object: { a: { b: "}" } } };

function setup(steps: Record<string, Json> = {}): Scope {
  return {
    root: (name) => (name === "input" ? input : undefined),
    step: (id) => {
      const output = steps[id];
      return output === undefined ? "missing" : { output };
    },
  };
}

describe("render", () => {
  it.each<[Json, Json]>([
    ["${input.count}", 3],
    ["${ input.list }", [1, "two"]],
    ["${input.count > 2}", true],
    ["${input.none}", null],
    [" ${input.count}", " 3"],
    ["Dear ${input.name}, ${input.count} of ${input.list}", 'Dear Ada, 3 of [1,"two"]'],
    ["${input.flag}${input.none}", "truenull"],
    ["${input.object}\n", '{"a":{"b":"}"}}\n'],
    ["${'}' == input.object.a.b}", true],
    ["$${input.name}", "${input.name}"],
    ["$$${input.name}", "$${input.name}"],
    ["${'$'}${input.name}", "$Ada"],
    ["costs 5$ {x} $x }", "costs 5$ {x} $x }"],
    [
      { "${input.name}": ["${input.count}", { x: "n: ${input.count}" }, 1, null] },
      { "${input.name}": [3, { x: "n: 3" }, 1, null] },
    ],
    ["", ""],
  ])("makes %j to %j", (template, value) => {
    expect(render(template, setup())).toEqual({ value });
  });

  it("asks for all missing outputs of a whole template at once", () => {
    const template = {
      a: "${steps.a.output}",
      b: ["${input.name} ${steps.b.output.x} ${steps.a.output}", "${steps.c.output}"],
    };
    const answer = render(template, setup({ c: 1 }));
    expect(answer).toMatchObject({ missing: [{ path: ["a", "output"] }, { path: ["b", "output", "x"] }] });
    expect(render(template, setup({ a: [1], b: { x: 2 }, c: null }))).toEqual({
      value: { a: [1], b: ["Ada 2 [1]", null] },
    });
  });

  it("says where in the template a value could not be had", () => {
    expect(render({ body: { texts: ["x", "${input.nmae}"] } }, setup())).toMatchObject({
      fault: expect.stringMatching(
        /^at body\.texts\[1\]: in input: expected one of the keys "name", .*did you mean "name"\?$/,
      ),
    });
    expect(render("${input.", setup())).toMatchObject({ fault: expect.stringContaining('expected a name after "."') });
  });

  it("keeps a key that is special to JavaScript as an ordinary one", () => {
    const answer = render(JSON.parse('{"__proto__": {"x": "${input.count}"}}') as Json, setup());
    expect("value" in answer && JSON.stringify(answer.value)).toBe('{"__proto__":{"x":3}}');
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });

  it("refuses what is nested too deep or grows too long instead of failing", () => {
    const deep = JSON.parse(`${"[".repeat(50_000)}"\${input.name}"${"]".repeat(50_000)}`) as Json;
    const message = "expected at most 200 levels of lists and objects in a template, got more";
    expect(render(deep, setup())).toMatchObject({ fault: expect.stringContaining(message) });
    expect(templateFaults(deep)).toMatchObject([{ message }]);
    expect(render("x ${steps.a.output}", setup({ a: deep }))).toMatchObject({
      fault: expect.stringContaining("500 levels"),
    });
    expect(render("${steps.a.output}", setup({ a: deep }))).toHaveProperty("value");
    const long = { a: "x".repeat(1_000_000) };
    expect(render("${steps.a.output}".repeat(20), setup(long))).toMatchObject({
      fault: expect.stringContaining("16000000"),
    });
  });

  it("gives back any JSON whose texts were escaped", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(fc.constantFrom("$", "{", "}", "a")).map((all) => all.join("")),
    );
    const { json } = fc.letrec<{ json: Json }>((tie) => ({
      json: fc.oneof(
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.array(tie("json"), { maxLength: 4 }),
        fc.dictionary(text, tie("json"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(json, (value) => {
        expect(render(escapeTexts(value), setup())).toEqual({ value });
      }),
    );
  });

  it("keeps the type and identity of any value that stands alone", () => {
    fc.assert(
      fc.property(fc.jsonValue() as fc.Arbitrary<Json>, (value) => {
        expect(render(["${steps.a.output}"], setup({ a: value }))).toEqual({ value: [value] });
        const written = typeof value === "string" ? value : JSON.stringify(value);
        expect(render("<${steps.a.output}>", setup({ a: value }))).toEqual({ value: `<${written}>` });
      }),
    );
  });
});

describe("parseTemplate", () => {
  it("lists every reference with the way to its text and its place in it", () => {
    const template = { prompt: ["Hi ${input.name}: ${steps.extract.output.text}"], "${input.no}": 1 };
    expect(templateReferences(template)).toEqual([
      { root: "input", path: ["name"], offset: 5, length: 10, at: ["prompt", 0] },
      { root: "steps", path: ["extract", "output", "text"], offset: 20, length: 25, at: ["prompt", 0] },
    ]);
  });

  it("reports every fault of every text at once and reads what is sound", () => {
    const { faults, references } = parseTemplate({ a: "${x =} ${input.a} ${} ${'", b: [0, "é ${input.b"] });
    expect(faults).toEqual([
      {
        message: 'expected a comparison, "and", "or" or "}", got "=" at position 4; write ==',
        offset: 4,
        length: 1,
        at: ["a"],
      },
      { message: 'expected a value, got "}" at position 20', offset: 20, length: 1, at: ["a"] },
      {
        message: "expected a closing ' for the one at position 24, got the end of the text at position 25",
        offset: 25,
        length: 0,
        at: ["a"],
      },
      {
        message: 'expected "}" for the "${" at position 2, got the end of the text at position 11',
        offset: 2,
        length: 9,
        at: ["b", 1],
      },
    ]);
    expect(references.map(({ path, at }) => [path[0], at])).toEqual([
      ["a", ["a"]],
      ["b", ["b", 1]],
    ]);
  });

  it("answers any text, long ones in linear time, and every fault lies inside it", () => {
    const piece = fc.constantFrom("${", "$", "}", "'", '"', "\\", "a", " == ", "(", "😀", "\ud800");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(piece).map((all) => all.join("")),
        ),
        (text) => {
          for (const { offset, length } of templateFaults(text))
            expect(offset + length).toBeLessThanOrEqual(text.length);
          const answer = render(text, setup());
          expect("fault" in answer).toBe(templateFaults(text).length > 0 || templateReferences(text).length > 0);
        },
      ),
      { numRuns: 1000 },
    );
    for (const part of ["${", "${'", "${(", "${\"'", '${"\\"', "$${", "${a}", "${'a"]) {
      const text = part.repeat(100_000);
      expect(templateFaults(text).length > 0).toBe(part !== "$${" && part !== "${a}");
    }
  });
});

function escapeTexts(value: Json): Json {
  if (typeof value === "string") return escapeText(value);
  if (Array.isArray(value)) return value.map(escapeTexts);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escapeTexts(inner)]));
}
