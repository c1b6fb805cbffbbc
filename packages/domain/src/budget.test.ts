import { describe, expect, it } from "vitest";
import { reportSpan } from "./budget.ts";

describe("the span of a report", () => {
  it("begins and ends with days of UTC", () => {
    const now = new Date("2026-03-01T23:59:59.999Z");
    const span = (period: Parameters<typeof reportSpan>[0]) => {
      const { from, to } = reportSpan(period, now);
      return [from.toISOString().slice(0, 10), to.toISOString().slice(0, 10)];
    };
    expect(span("today")).toEqual(["2026-03-01", "2026-03-02"]);
    expect(span("yesterday")).toEqual(["2026-02-28", "2026-03-01"]);
    expect(span("last_7_days")).toEqual(["2026-02-23", "2026-03-02"]);
    expect(span("last_30_days")).toEqual(["2026-01-31", "2026-03-02"]);
    expect(span("this_month")).toEqual(["2026-03-01", "2026-03-02"]);
  });
});
