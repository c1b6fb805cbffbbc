import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatRunId, parseRunId } from "./run-id.ts";

describe("formatRunId", () => {
  it("is read back by parseRunId, for every key", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (key) => {
        expect(parseRunId(formatRunId(key))).toBe(key.toString());
      }),
    );
  });

  it("sorts like the keys", () => {
    expect(formatRunId("255") < formatRunId("4096")).toBe(true);
  });
});

describe("parseRunId", () => {
  it("knows no other texts", () => {
    for (const text of ["", "run-", "run-00000000000000zz", "run-ffffffffffffffff", "t0123", "run-0000000000000001 "]) {
      expect(parseRunId(text)).toBeUndefined();
    }
  });
});
