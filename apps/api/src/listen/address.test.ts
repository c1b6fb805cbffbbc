import { describe, expect, it } from "vitest";
import { parseAddress } from "./address.ts";

describe("parseAddress", () => {
  it.each([
    ["127.0.0.1:9097", "127.0.0.1", 9097],
    ["[::1]:0", "::1", 0],
    ["localhost:50052", "localhost", 50_052],
    [":80", "::", 80],
    [" 0.0.0.0:1 ", "0.0.0.0", 1],
  ])("reads %s", (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
  });

  it.each(["", "9097", "localhost", "::1:80", "[::1]", "[x]:1", "a:65536", "a:-1", "a b:1", "http://a:1"])(
    "refuses %j",
    (text) => {
      expect(() => parseAddress(text)).toThrow(
        `Expected an address to listen on such as 127.0.0.1:9097 or [::1]:9097, got "${text}".`,
      );
    },
  );
});
