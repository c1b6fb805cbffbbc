import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDollars, formatMoney, parseMoney } from "./money.ts";

describe("an amount of money", () => {
  it("is read as people write it", () => {
    expect(["5", "0.0001", "$2.50", "2.5 USD", " 1usd "].map(parseMoney)).toEqual([
      5_000_000_000n,
      100_000n,
      2_500_000_000n,
      2_500_000_000n,
      1_000_000_000n,
    ]);
  });

  it("is refused where it is none", () => {
    for (const text of ["", "-1", "1,5", "1e3", "0.0000000001", "five", "1 EUR", ".5", "1."])
      expect(parseMoney(text)).toBeUndefined();
  });

  it("is written without loss", () => {
    expect(formatMoney(6_000_000n)).toBe("0.006 USD");
    expect(formatMoney(0n)).toBe("0 USD");
    expect(formatDollars(-1_500_000_000n)).toBe("-1.5");
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 17n }), (nanos) => parseMoney(formatMoney(nanos)) === nanos),
    );
  });
});
