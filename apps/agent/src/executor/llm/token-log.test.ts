import { describe, expect, it } from "vitest";
import { createRedactor } from "./redact.ts";
import { createTokenLog } from "./token-log.ts";

const key = "sk-0123456789abcdef";

function setup(patterns?: string[]) {
  const lines: [string, string][] = [];
  const redactor = createRedactor({ keys: [key], ...(patterns && { patterns }) });
  const log = createTokenLog({ sink: { write: (stream, text) => void lines.push([stream, text]) }, redactor });
  return { log, lines, text: () => lines.map(([, text]) => text).join("") };
}

describe("createTokenLog", () => {
  it("shows words as they come, but for the last two", () => {
    const { log, text } = setup();
    for (const word of ["one ", "two ", "three ", "four"]) log.write(word);
    expect(text()).toBe("one two ");
    log.end();
    expect(text()).toBe("one two three four");
  });

  it.each(Array.from({ length: key.length - 1 }, (_, at) => at + 1))(
    "blanks a key that is cut after %d characters",
    (at) => {
      const { log, text } = setup();
      for (const piece of ["it is ", key.slice(0, at), key.slice(at), ", says ", "the ", "provider"]) log.write(piece);
      log.end();
      expect(text()).toBe("it is [redacted], says the provider");
    },
  );

  it("blanks a bearer token that comes in pieces", () => {
    const { log, text } = setup();
    for (const piece of ["use Bearer", " ", "abcdef", "ghijkl", " now, ", "please"]) log.write(piece);
    log.end();
    expect(text()).toBe("use [redacted] now, please");
  });

  it("holds back as much as a pattern may reach, and shows the rest", () => {
    const { log, text } = setup(["BEGIN[^]*?END"]);
    log.write("x".repeat(2000));
    expect(text().length).toBeGreaterThan(900);
    log.write(" BEGIN secret");
    log.write(" words".repeat(100));
    log.write(" END done");
    log.end();
    expect(text()).toBe(`${"x".repeat(2000)} [redacted] done`);
  });

  it("withholds everything from a pattern that takes too long on, and says so once", () => {
    const { log, lines } = setup(["(a+)+$"]);
    log.note("system", `${"a".repeat(40)}!`);
    log.note("system", "hello");
    log.write("more");
    log.end();
    expect(lines).toEqual([["system", expect.stringContaining("withheld")]]);
  });

  it("does not grow without bound where a text has no blanks", () => {
    const { log, text } = setup();
    for (let count = 0; count < 100; count += 1) log.write("x".repeat(1000));
    expect(text().length).toBeGreaterThan(90_000);
  });
});
