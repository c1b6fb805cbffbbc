import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newId } from "./id.ts";

const bytes = fc.uint8Array({ minLength: 10, maxLength: 16 });
const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe("newId", () => {
  it("has the form of a UUID of version 7 for every time and all random bytes", () => {
    fc.assert(
      fc.property(bytes, times, (random, nowMs) => {
        expect(newId({ random, nowMs })).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
      }),
    );
  });

  it("keeps the time, so that later ids sort later", () => {
    fc.assert(
      fc.property(bytes, bytes, times, times, (first, second, early, late) => {
        const ids = [newId({ random: first, nowMs: early }), newId({ random: second, nowMs: late })] as const;
        if (early !== late) expect(ids[0] < ids[1]).toBe(early < late);
        expect(Number.parseInt(ids[0].replaceAll("-", "").slice(0, 12), 16)).toBe(early);
      }),
    );
  });

  it("matches the example of RFC 9562", () => {
    const random = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
    expect(newId({ random, nowMs: 0x017f22e279b0 })).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  });

  it("refuses too few random bytes", () => {
    expect(() => newId({ random: new Uint8Array(9), nowMs: 0 })).toThrow("got 9");
  });
});
