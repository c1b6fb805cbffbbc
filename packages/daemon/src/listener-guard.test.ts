import { describe, expect, it } from "vitest";

import { guardListeners } from "./listener-guard.ts";

const loopback = { host: "127.0.0.1", port: 9097 };
const open = [
  { host: "0.0.0.0", port: 9097 },
  { host: "::", port: 50052 },
];

describe("guardListeners", () => {
  it("lets loopback addresses pass", () => {
    expect(() => guardListeners({ addresses: [loopback, { host: "::1", port: 0 }], insecure: false })).not.toThrow();
  });

  it("names every address that others can reach and says what to do", () => {
    const refused = (): unknown => {
      try {
        return guardListeners({ addresses: [loopback, ...open], insecure: false });
      } catch (error) {
        return error;
      }
    };
    expect(refused()).toMatchObject({
      message: expect.stringMatching(/got 0\.0\.0\.0:9097, \[::\]:50052\.$/),
      facts: { hint: expect.stringMatching(/^Listen on 127\.0\.0\.1 .* or set --insecure \(DROVER_INSECURE=true\)/) },
    });
  });

  it("lets everything pass when insecure is set", () => {
    expect(() => guardListeners({ addresses: open, insecure: true })).not.toThrow();
  });
});
