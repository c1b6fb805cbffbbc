import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBase64Url, encodeBase64, encodeBase64Url } from "./base64.ts";

describe("base64", () => {
  it("agrees with Node's own encoding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
        expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(encodeBase64Url(text)).toBe(Buffer.from(text).toString("base64url"));
        expect(decodeBase64Url(encodeBase64Url(text))).toBe(text);
      }),
    );
  });

  it("gives nothing for what is no base64url, or no UTF-8 inside", () => {
    for (const text of ["a", "+/==", "äöü", "a b", "_w", "YR"]) {
      expect(decodeBase64Url(text)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => ["string", "undefined"].includes(typeof decodeBase64Url(text))));
  });
});
