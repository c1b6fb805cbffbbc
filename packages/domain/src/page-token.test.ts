import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DroverError } from "./error.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";

const filter = { states: ["failed"], class: "gpu", labels: { team: "a", run: "7" } };
const refused = expect.objectContaining({
  reason: "invalid",
  facts: expect.objectContaining({ fields: [expect.objectContaining({ field: "page_token" })] }),
});

describe("page token", () => {
  it("gives back the position for the same filter, whatever the order of its keys", () => {
    const token = encodePageToken({ key: "910000000000000000" }, filter);
    expect(token).toMatch(/^[\w-]+$/);
    expect(decodePageToken(token, { labels: { run: "7", team: "a" }, class: "gpu", states: ["failed"] })).toEqual({
      key: "910000000000000000",
    });
    const json = fc.jsonValue() as fc.Arbitrary<never>;
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ unit: "grapheme" })), json, (position, anyFilter) => {
        expect(decodePageToken(encodePageToken(position, anyFilter), anyFilter)).toEqual(position);
      }),
    );
  });

  it("is refused for another filter", () => {
    const token = encodePageToken({ key: "1" }, filter);
    expect(() => decodePageToken(token, { ...filter, class: "cpu_short" })).toThrow(refused);
    expect(() => decodePageToken(token, {})).toThrow(refused);
  });

  it("is refused where any of its characters was changed", () => {
    const token = encodePageToken({ key: "910000000000000000" }, filter);
    for (let place = 0; place < token.length; place++) {
      const other = token[place] === "A" ? "B" : "A";
      expect(() => decodePageToken(token.slice(0, place) + other + token.slice(place + 1), filter)).toThrow(refused);
    }
  });

  it("is refused as a sentence where it is garbage", () => {
    const foreign = Buffer.from(JSON.stringify(["1", "x", { key: 1 }])).toString("base64url");
    for (const token of ["", "0", "null", "W10", foreign, "x".repeat(5000), "ä"]) {
      expect(() => decodePageToken(token, filter)).toThrow(refused);
    }
    expect(() => decodePageToken("abc", filter)).toThrow(
      'Expected a page token that this listing returned, with the same filter; got "abc".',
    );
    fc.assert(
      fc.property(fc.string(), (token) => {
        expect(() => decodePageToken(token, filter)).toThrow(DroverError);
      }),
    );
  });
});
