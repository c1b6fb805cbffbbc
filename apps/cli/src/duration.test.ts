import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatSize, parseSize } from "./size.ts";

describe("a duration", () => {
  it("is read with its unit, in seconds without one", () => {
    const texts = ["250ms", "90", "90s", "1.5m", "2h", "7d", "", "5 m", "-1s", "1h30m", "s"];
    expect(texts.map(parseDuration)).toEqual([
      250,
      90_000,
      90_000,
      90_000,
      7_200_000,
      604_800_000,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is written in at most two units", () => {
    const spans = [
      0, 999, 1000, 3440, 9949, 9960, 59_400, 59_600, 60_000, 192_400, 3_600_000, 3_661_000, 90_000_000, -5000,
    ];
    expect(spans.map(formatDuration)).toEqual([
      "0ms",
      "999ms",
      "1.0s",
      "3.4s",
      "9.9s",
      "10s",
      "59s",
      "1m",
      "1m",
      "3m 12s",
      "1h",
      "1h 1m",
      "1d 1h",
      "-5.0s",
    ]);
  });
});

describe("a size", () => {
  it("is read in powers of 1024, with or without B", () => {
    expect(["512m", "2g", "1.5GiB", "1024", "3kb", "1t", "x", "-1", ""].map(parseSize)).toEqual([
      536_870_912,
      2_147_483_648,
      1_610_612_736,
      1024,
      3072,
      1_099_511_627_776,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is written so that a person can compare it", () => {
    expect([0, 1023, 1024, 1536, 536_870_912, 25_276_514_304].map(formatSize)).toEqual([
      "0 B",
      "1023 B",
      "1 KiB",
      "1.5 KiB",
      "512 MiB",
      "24 GiB",
    ]);
  });
});
