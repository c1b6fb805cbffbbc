import { describe, expect, it } from "vitest";
import { parseMoment } from "./moment.ts";

describe("parseMoment", () => {
  it.each([
    ["2026-01-31", "2026-01-31T00:00:00.000Z"],
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31 12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"],
    [" 2026-01-31T12:00Z ", "2026-01-31T12:00:00.000Z"],
  ])("reads %s", (text, moment) => {
    expect(new Date(parseMoment(text)).toISOString()).toBe(moment);
  });

  it.each(["2026-01-31T12:00:00", "2026-13-01", "never", "", "1", "Jan 31 2026", "2026-01-31T25:00:00Z"])(
    "takes %j for no moment",
    (text) => {
      expect(parseMoment(text)).toBeNaN();
    },
  );
});
