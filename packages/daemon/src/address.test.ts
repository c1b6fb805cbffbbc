import { describe, expect, it } from "vitest";

import { formatAddress, isLoopback, parseAddress } from "./address.ts";

describe("parseAddress", () => {
  it.each([
    ["127.0.0.1:9097", { host: "127.0.0.1", port: 9097 }],
    ["api.internal:0", { host: "api.internal", port: 0 }],
    ["my_service:80", { host: "my_service", port: 80 }],
    ["[::1]:65535", { host: "::1", port: 65535 }],
  ])("reads %s, and formatAddress writes it back", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
  });

  it.each([
    "",
    ":9097",
    "9097",
    "host",
    "host:",
    "host:70000",
    "host:-1",
    "::1:80",
    "[nope]:80",
    "http://host:80",
    "a b:80",
  ])("refuses %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});

describe("isLoopback", () => {
  it.each(["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"])("accepts %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each([
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "localhost.example.org",
    "127.0.0.1.example.org",
    "127.1",
    "::ffff:10.0.0.1",
    "",
  ])("refuses %j", (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});
