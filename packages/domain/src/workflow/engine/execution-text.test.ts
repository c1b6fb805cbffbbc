import { describe, expect, it } from "vitest";
import { keepTexts } from "./execution-text.ts";

describe("keepTexts", () => {
  it("turns what a template's text became back into a text, and leaves other values alone", () => {
    const template = { command: ["run", "${input.n}"], env: { LIST: "${input.list}" }, resources: { pids: 5 } };
    const rendered = { command: ["run", 3], env: { LIST: [1, "a"] }, resources: { pids: 5 } };
    expect(keepTexts(template, rendered)).toEqual({
      command: ["run", "3"],
      env: { LIST: '[1,"a"]' },
      resources: { pids: 5 },
    });
  });
});
