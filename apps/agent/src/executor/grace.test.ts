import { describe, expect, it } from "vitest";
import { graceOf } from "./grace.ts";

describe("grace of a stop", () => {
  it("is the operator's for every reason but a lost lease", () => {
    const grace = graceOf(10, () => 1);
    expect([grace("cancelled"), grace("timeout"), grace("drained"), grace("lease_lost")]).toEqual([
      10_000, 10_000, 10_000, 1000,
    ]);
  });

  it("is never longer than the operator's, and never negative", () => {
    expect(graceOf(3, () => 60)("lease_lost")).toBe(3000);
    expect(graceOf(3, () => -5)("lease_lost")).toBe(0);
  });
});
