import { describe, expect, it, vi } from "vitest";

import { systemClock } from "./clock.ts";

describe("systemClock", () => {
  it("does not fire a wait of months at once", () => {
    const timer = vi.spyOn(globalThis, "setTimeout");
    systemClock.after(1e12, () => {})();
    expect(timer.mock.calls[0]?.[1]).toBe(2 ** 31 - 1);
    timer.mockRestore();
  });

  it("calls back after the wait, unless cancelled", async () => {
    const fired: string[] = [];
    systemClock.after(0, () => fired.push("cancelled"))();
    await new Promise<void>((resolve) => systemClock.after(1, resolve));
    expect(fired).toEqual([]);
  });
});
