import { describe, expect, it } from "vitest";

import { createLineRedactor, redactText, urlPasswords } from "./redact.ts";

describe("redactText", () => {
  it.each([
    ["postgres://drover:s3cret@db:5432/drover", "postgres://drover:[redacted]@db:5432/drover"],
    ["postgres://drover:p@ss/w:rd@db/drover?sslmode=require", "postgres://drover:[redacted]@db/drover?sslmode=require"],
    ["postgresql://:only@a,b/db", "postgresql://:[redacted]@a,b/db"],
    ["host=db password=s3cret user=drover", "host=db password=[redacted] user=drover"],
    ["host=db password='a b' user=drover", "host=db password=[redacted] user=drover"],
    ["postgres:///db?user=x&password=s3cret&host=/run", "postgres:///db?user=x&password=[redacted]&host=/run"],
    ["authorization: Bearer abcdef.123-456", "authorization: Bearer [redacted]"],
  ])("hides the secret in %s", (text, clean) => {
    expect(redactText(text)).toBe(clean);
  });

  it.each(["postgres://db:5432/drover", "http://127.0.0.1:9097/health", "mail a@b.c at 10:30"])(
    "leaves %s alone",
    (text) => {
      expect(redactText(text)).toBe(text);
    },
  );
});

describe("urlPasswords", () => {
  it.each([
    ["postgres://drover:p%40ss@db/drover", ["p%40ss", "p@ss"]],
    ["postgres://drover:100%@db/drover", ["100%"]],
    ["postgres://drover@db/drover?a=b:c@d", []],
    ["no url", []],
  ])("finds what must be hidden of %s", (text, passwords) => {
    expect(urlPasswords(text)).toEqual(passwords);
  });
});

describe("createLineRedactor", () => {
  const clean = (fields: unknown, secrets: string[] = []) =>
    JSON.parse(createLineRedactor(secrets)(JSON.stringify(fields)));

  it("hides fields that sound secret at any depth, whatever their type", () => {
    const fields = {
      deep: [{ apiKey: 'k"1', nodeToken: 12, headers: { "set-cookie": ["a", "b"], authorization: "x" } }],
    };
    expect(clean(fields)).toEqual({
      deep: [
        {
          apiKey: "[redacted]",
          nodeToken: "[redacted]",
          headers: { "set-cookie": "[redacted]", authorization: "[redacted]" },
        },
      ],
    });
  });

  it("leaves fields alone that only resemble secrets", () => {
    const fields = { tokens: 5, inputTokens: 7, tokenCount: 3, keyboard: "x", fence: "12" };
    expect(clean(fields)).toEqual(fields);
  });

  it("hides given values wherever they stand, as JSON writes them", () => {
    expect(clean({ message: 'said top"secret\\ aloud' }, ['top"secret\\'])).toEqual({
      message: "said [redacted] aloud",
    });
  });

  it.each(["a.", "a://b:", 'password="', '"token_', "Bearer "])(
    "takes time in proportion to a long text of %j",
    (part) => {
      const started = performance.now();
      createLineRedactor()(JSON.stringify({ message: part.repeat(100_000 / part.length) }));
      expect(performance.now() - started).toBeLessThan(500);
    },
  );
});
