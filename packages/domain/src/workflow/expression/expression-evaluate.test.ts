import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../json.ts";
import { parseExpression } from "./expression.ts";
import { evaluate } from "./expression-evaluate.ts";
import type { Evaluation, Scope } from "./reference.ts";

const state = {
  score: 7,
  rating: 0.5,
  name: "Ada",
  empty: "",
  done: true,
  open: false,
  nothing: null,
  tags: ["red", "blue", { deep: [1, { x: null }] }],
  none: [],
  map: { key: 1, "any name": { inner: "in" } },
};

function setup(steps: Record<string, Json> = {}) {
  const asked: string[] = [];
  const roots: Record<string, Json> = { state, input: {} };
  const scope: Scope = {
    names: Object.keys(roots),
    root: (name) => (Object.hasOwn(roots, name) ? roots[name] : undefined),
    step(id) {
      asked.push(id);
      const output = steps[id];
      return output === undefined ? "missing" : { output };
    },
  };
  const run = (text: string): Evaluation => {
    const parsed = parseExpression(text);
    if ("message" in parsed) throw new Error(`${text}: ${parsed.message}`);
    return evaluate(parsed, scope);
  };
  return { run, asked, scope };
}

describe("evaluate", () => {
  it.each<[string, Json]>([
    ["state.score == 7", true],
    ["state.score == 7.0", true],
    ["state.score != 7", false],
    ["state.score >= 7", true],
    ["state.score > 7", false],
    ["state.score < 7.5", true],
    ["state.score <= 6", false],
    ["state.rating > -1", true],
    ["state.name == 'Ada'", true],
    ['state.name != "Ada"', false],
    ["state.name < 'Bob'", true],
    ["state.done == True", true],
    ["state.done == true", true],
    ["state.open == False", true],
    ["state.nothing == None", true],
    ["state.nothing == null", true],
    ["state.done", true],
    ["not state.done", false],
    ["not state.open and state.done", true],
    ["state.open or state.done", true],
    ["state.open and state.done or state.score > 1", true],
    ["state.done or state.open and state.open", true],
    ["(state.done or state.open) and state.open", false],
    ["not state.score == 8", true],
    ["not (state.done and state.open)", true],
    ["not not state.done", true],
    ["state.score > 5 and state.name == 'Ada' and not state.open", true],
    ["state.score == '7'", false],
    ["state.done == 1", false],
    ["state.empty == state.nothing", false],
    ["state.none == state.map", false],
    ["state.tags == state.tags", true],
    ["'red' in state.tags", true],
    ["'green' in state.tags", false],
    ["state.tags[2] in state.tags", true],
    ["'key' in state.map", true],
    ["'constructor' in state.map", false],
    ["'da' in state.name", true],
    ["state.map['any name'].inner == 'in'", true],
    ["state.tags[2].deep[1].x == null", true],
    ["length(state.tags) == 3 and length(state.map) == 2 and length(state.none) == 0", true],
    ["length('a😀')", 2],
    ["state.empty or state.none or input or 0 or null", false],
    ["state.name and state.tags and state.map and 1", true],
    ["state.map", state.map],
    ["'\\u00e9\\n\\''", "é\n'"],
  ])("makes of %s what Python would", (text, value) => {
    expect(setup().run(text)).toEqual({ value });
  });

  it.each([
    [
      "state.nmae",
      'in state: expected one of the keys "score", "rating", "name", "empty", "done", "open", "nothing", "tags", "none", "map", got "nmae"; did you mean "name"?',
    ],
    ["state.map.kye", 'in state.map: expected one of the keys "key", "any name", got "kye"; did you mean "key"?'],
    ["input.x", 'in input: expected a key, but the object is empty, got "x"'],
    ["state.tags[3]", "in state.tags: expected an index from 0 to 2, got 3"],
    ["state.none[0]", "in state.none: expected no index, because the list is empty, got 0"],
    ["state.name[0]", "in state.name: expected a list to take [0] of, got a text"],
    ["state.tags.length", 'in state.tags: expected an object with the key "length", got a list'],
    ["state.nothing.x", 'in state.nothing: expected an object with the key "x", got null'],
    ["inptu.x", 'expected one of the names "state", "input", got "inptu"; did you mean "input"?'],
    ["state.map.__proto__", 'in state.map: expected one of the keys "key", "any name", got "__proto__"'],
    ["input.constructor", 'in input: expected a key, but the object is empty, got "constructor"'],
    ["__proto__", 'expected one of the names "state", "input", got "__proto__"'],
    ["state.score < state.name", 'expected two numbers or two texts around "<" at position 12, got a number < a text'],
    ["state.done >= 1", 'expected two numbers or two texts around ">=" at position 11, got a boolean >= a number'],
    [
      "1 in state.name",
      'expected a list, or a text in a text or object around "in" at position 2, got a number in a text',
    ],
    ["length(state.score)", "expected a text, list or object in length() at position 0, got a number"],
  ])("says why %s has no value", (text, fault) => {
    expect(setup().run(text)).toEqual({ fault });
  });

  it("names at most ten of many keys", () => {
    const keys = Array.from({ length: 5000 }, (_, index) => [`key${index}`, index]);
    const answer = setup({ a: Object.fromEntries(keys) }).run("steps.a.output.kez7");
    expect(answer).toMatchObject({
      fault: expect.stringMatching(/"key9" and 4990 others, got "kez7"; did you mean "key7"\?$/),
    });
  });

  it("asks for every missing step that may be needed, once each", () => {
    const { run } = setup({ known: { ok: true } });
    const answer = run(
      "steps.a.output.x == steps.b.output and (steps.known.output.ok or steps.c.output) and steps.a.output.y",
    );
    expect(answer).toEqual({
      missing: [
        { root: "steps", path: ["a", "output", "x"], offset: 0, length: 16 },
        { root: "steps", path: ["b", "output"], offset: 20, length: 14 },
      ],
    });
  });

  it("neither loads nor checks what a short circuit leaves out", () => {
    const { run, asked } = setup({ yes: true });
    expect(run("state.open and steps.a.output")).toEqual({ value: false });
    expect(run("state.done or state.unknown < 1")).toEqual({ value: true });
    expect(asked).toEqual([]);
    expect(run("steps.a.output and (steps.yes.output or steps.b.output)")).toMatchObject({
      missing: [{ path: ["a", "output"] }],
    });
  });

  it("tells the fault that comes first, whatever is loaded", () => {
    expect(setup().run("state.x == steps.a.output")).toHaveProperty("fault");
    expect(setup().run("steps.a.output == state.x")).toMatchObject({ missing: [{ path: ["a", "output"] }] });
    expect(setup().run("steps.a.output and state.x")).toMatchObject({ missing: [{ path: ["a", "output"] }] });
    expect(setup({ a: 0 }).run("steps.a.output and state.x")).toEqual({ value: false });
    expect(setup().run("steps.a.output.x and state.open")).toMatchObject({ missing: [{ path: ["a", "output", "x"] }] });
    expect(setup({ a: 1 }).run("steps.a.output.x == state.x")).toMatchObject({
      fault: expect.stringContaining("in steps.a.output: expected an object"),
    });
  });

  it("passes on why the output of a step cannot be had", () => {
    const { scope } = setup();
    const parsed = parseExpression("steps.a.output");
    if ("message" in parsed) throw new Error(parsed.message);
    const fault = "the output of step a was skipped";
    expect(evaluate(parsed, { ...scope, step: () => ({ fault }) })).toEqual({ fault });
  });

  it("compares and finds any values as JSON does, however deep", () => {
    const json = fc.jsonValue({ noUnicodeString: false, maxDepth: 4 }) as fc.Arbitrary<Json>;
    fc.assert(
      fc.property(json, json, (left, right) => {
        const { run } = setup({ left, right, copy: structuredClone(left) });
        expect(run("steps.left.output == steps.copy.output")).toEqual({ value: true });
        const isSame = canonical(left) === canonical(right);
        expect(run("steps.left.output == steps.right.output")).toEqual({ value: isSame });
        expect(run("steps.left.output != steps.right.output")).toEqual({ value: !isSame });
      }),
    );
    const deep = () => JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`) as Json;
    expect(setup({ a: deep(), b: deep() }).run("steps.a.output == steps.b.output")).toEqual({ value: true });
  });
});

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`);
  return `{${entries.toSorted().join()}}`;
}
