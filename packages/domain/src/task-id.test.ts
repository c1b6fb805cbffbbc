import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstTaskKeyAt, formatTaskKey, isReservedId, parseTaskKey, taskKeyTime } from "./task-id.ts";

const maxKey = 2n ** 63n - 1n;
const keys = fc.bigInt({ min: 0n, max: maxKey });

describe("task key as text", () => {
  it("comes back from its text, for every key", () => {
    fc.assert(fc.property(keys, (key) => void expect(parseTaskKey(formatTaskKey(key))).toBe(key)));
    expect(parseTaskKey(formatTaskKey(0n))).toBe(0n);
    expect(parseTaskKey(formatTaskKey(maxKey))).toBe(maxKey);
  });

  it("comes back as its text, for every text of the form whose key fits", () => {
    const text = fc.stringMatching(/^t[0-7][0-9a-hjkmnp-tv-z]{12}$/);
    fc.assert(
      fc.property(text, (id) => {
        const key = parseTaskKey(id);
        expect(key === undefined ? undefined : formatTaskKey(key)).toBe(id);
      }),
    );
  });

  it("sorts like the key", () => {
    fc.assert(fc.property(keys, keys, (a, b) => void expect(formatTaskKey(a) < formatTaskKey(b)).toBe(a < b)));
  });

  it("spells known keys in Crockford's alphabet", () => {
    expect(formatTaskKey(0n)).toBe("t0000000000000");
    expect(formatTaskKey(31n)).toBe("t000000000000z");
    expect(formatTaskKey(maxKey)).toBe("t7zzzzzzzzzzzz");
    expect(formatTaskKey(910_000_000_000_000_000n)).toBe("t0s87r5pwsp000");
  });

  it("refuses texts of another form and keys beyond 63 bits", () => {
    for (const text of [
      "",
      "t",
      "t000000000000",
      "t00000000000000",
      "T0000000000000",
      "t00000000000u0",
      "tzzzzzzzzzzzzz",
      "x0000000000000",
      "t0000000000000\n",
    ]) {
      expect(parseTaskKey(text)).toBeUndefined();
    }
    expect(() => formatTaskKey(-1n)).toThrow("Expected a task key");
    expect(() => formatTaskKey(maxKey + 1n)).toThrow("Expected a task key");
  });

  it("reserves the whole form, also where no key fits", () => {
    expect(isReservedId("t0000000000000")).toBe(true);
    expect(isReservedId("tzzzzzzzzzzzzz")).toBe(true);
    expect(isReservedId("task-1")).toBe(false);
  });
});

describe("taskKeyTime", () => {
  it("reads the milliseconds since 2020 above the sequence", () => {
    const at = new Date("2026-05-01T12:34:56.789Z");
    expect(taskKeyTime(firstTaskKeyAt(at))).toEqual(at);
    expect(taskKeyTime(firstTaskKeyAt(at) | 4_194_303n)).toEqual(at);
    expect(taskKeyTime(0n)).toEqual(new Date("2020-01-01T00:00:00.000Z"));
    expect(firstTaskKeyAt(new Date("1999-01-01T00:00:00Z"))).toBe(0n);
  });
});
