import { describe, expect, it } from "vitest";
import { rateLimitOf, retryAfterOf } from "./rate-limit.ts";

const now = Date.parse("2030-01-01T00:00:00Z");

describe("retryAfterOf", () => {
  it.each([
    [{ "retry-after": "12" }, "", 12_000],
    [{ "retry-after": "0.5" }, "", 500],
    [{ "retry-after-ms": "250", "retry-after": "12" }, "", 250],
    [{ "retry-after": "Tue, 01 Jan 2030 00:00:30 GMT" }, "", 30_000],
    [{ "retry-after": "Mon, 31 Dec 2029 23:00:00 GMT" }, "", 0],
    [{ "retry-after": "99999999999" }, "", 86_400_000],
    [{ "retry-after": "soon" }, "", undefined],
    [{ "retry-after": "-5" }, "", undefined],
    [{}, '{"details":[{"@type":"RetryInfo","retryDelay":"17s"}]}', 17_000],
    [{ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m3s" }, "", 63_000],
    [{}, "", undefined],
  ])("reads %j %s as %s ms", (headers, body, expected) => {
    expect(retryAfterOf(headers, body, now)).toBe(expected);
  });

  it("reads a date by the clock of the provider, which may be another one than ours", () => {
    const headers = { date: "Mon, 01 Jan 2029 00:00:00 GMT", "retry-after": "Mon, 01 Jan 2029 00:00:05 GMT" };
    expect(retryAfterOf(headers, "", now)).toBe(5000);
  });
});

describe("rateLimitOf", () => {
  it("knows nothing where no header tells", () => {
    expect(rateLimitOf({ "content-type": "text/plain" }, now)).toBeUndefined();
  });

  it.each([
    ["20ms", 20],
    ["6m0s", 360_000],
    ["1h2m3.5s", 3_723_500],
    ["1.5", 1500],
    [String(now / 1000 + 60), 60_000],
    [String(now + 60_000), 60_000],
    ["2030-01-01T00:00:45Z", 45_000],
    ["later", undefined],
  ])("reads the reset %s", (text, expected) => {
    expect(rateLimitOf({ "x-ratelimit-reset-requests": text, "x-ratelimit-limit": "1" }, now)?.resetMs).toBe(expected);
  });

  it("tells the reset of the scarcer limit, and the scarcest kind of tokens", () => {
    const headers = {
      "anthropic-ratelimit-requests-limit": "50",
      "anthropic-ratelimit-requests-remaining": "49",
      "anthropic-ratelimit-requests-reset": "2030-01-01T00:00:01Z",
      "anthropic-ratelimit-input-tokens-limit": "1000",
      "anthropic-ratelimit-input-tokens-remaining": "900",
      "anthropic-ratelimit-output-tokens-limit": "1000",
      "anthropic-ratelimit-output-tokens-remaining": "10",
      "anthropic-ratelimit-output-tokens-reset": "2030-01-01T00:00:59Z",
    };
    expect(rateLimitOf(headers, now)).toEqual({ remainingRequests: 49, remainingTokens: 10, resetMs: 59_000 });
  });
});
