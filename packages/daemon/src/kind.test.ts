import { describe, expect, it } from "vitest";

import { addresses, counts, flag, integer, type Kind, list, oneOf, seconds, text, url } from "./kind.ts";

const postgres = url({ schemes: ["postgres", "postgresql"] });

describe("kinds of settings", () => {
  it.each<[string, Kind<unknown>, string, unknown]>([
    ["an integer", integer(), "-12", -12],
    ["an integer at its bounds", integer({ min: 1, max: 5 }), "5", 5],
    ["true in other words", flag(), "Yes", true],
    ["false as a digit", flag(), "0", false],
    ["a bare number of seconds", seconds(), "90", 90],
    ["minutes", seconds(), "1.5m", 90],
    ["milliseconds", seconds(), "250ms", 0.25],
    ["days", seconds(), "7d", 604_800],
    ["a word of a set", oneOf(["info", "debug"]), "debug", "debug"],
    [
      "addresses",
      addresses(),
      "127.0.0.1:9097, [::1]:0",
      [
        { host: "127.0.0.1", port: 9097 },
        { host: "::1", port: 0 },
      ],
    ],
    ["a list", list(), "/data, /models", ["/data", "/models"]],
    [
      "counts",
      counts(),
      "cpu_short=4, gpu=1",
      new Map([
        ["cpu_short", 4],
        ["gpu", 1],
      ]),
    ],
    ["a text", text({ pattern: /^[a-z]+$/ }), "abc", "abc"],
    [
      "a database URL",
      postgres,
      "postgres://u:p@db:5432/x?sslmode=require",
      "postgres://u:p@db:5432/x?sslmode=require",
    ],
    [
      "a database URL with several hosts",
      postgres,
      "postgresql://u:p@a:5432,b:5433/x",
      "postgresql://u:p@a:5432,b:5433/x",
    ],
    [
      "a database URL for a socket",
      postgres,
      "postgres:///x?host=/run/postgresql",
      "postgres:///x?host=/run/postgresql",
    ],
  ])("read %s", (_, kind, raw, value) => {
    expect(kind.parse(raw)).toEqual(value);
  });

  it.each<[string, Kind<unknown>, string]>([
    ["a fraction as an integer", integer(), "1.5"],
    ["a number beyond the range", integer({ min: 1, max: 5 }), "6"],
    ["an integer that a number cannot hold", integer(), "9007199254740993"],
    ["a hexadecimal integer", integer(), "0x10"],
    ["a word that is neither true nor false", flag(), "constructor"],
    ["an unknown unit", seconds(), "3w"],
    ["a negative duration", seconds(), "-1s"],
    ["a duration beyond the range", seconds({ min: 1, max: 60 }), "2m"],
    ["a word outside the set", oneOf(["info"]), "INFO"],
    ["one bad address among good ones", addresses(), "127.0.0.1:1,nope"],
    ["a trailing comma", addresses(), "127.0.0.1:1,"],
    ["an empty item", list(), "a,,b"],
    ["a count without a number", counts(), "gpu"],
    ["a negative count", counts(), "gpu=-1"],
    ["a name twice", counts(), "gpu=1,gpu=2"],
    ["a text that does not match", text({ pattern: /^[a-z]+$/ }), "a1"],
    ["another scheme", postgres, "mysql://db/x"],
    ["a URL without a scheme", postgres, "db:5432"],
    ["a port that is none", postgres, "postgres://a:5432,b:99999/x"],
    ["a URL with a blank", postgres, "postgres://db/a b"],
  ])("refuse %s", (_, kind, raw) => {
    expect(kind.parse(raw)).toBeUndefined();
  });

  it("say their range in words", () => {
    const said = [
      integer({ min: 1, max: 5 }),
      integer({ min: 0 }),
      integer({ max: 9 }),
      integer(),
      seconds({ min: 1, max: 60 }),
    ];
    expect(said.map((kind) => kind.expects)).toEqual([
      "a whole number from 1 to 5",
      "a whole number of at least 0",
      "a whole number of at most 9",
      "a whole number",
      "a duration such as 30, 30s, 5m or 250ms from 1 to 60 seconds",
    ]);
  });
});
