import { describe, expect, it, onTestFinished, vi } from "vitest";
import { callAfter } from "./timer.ts";

describe("callAfter", () => {
  it("waits for longer than a plain timer can, and not at all once called off", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const dayMs = 86_400_000;
    const calls: string[] = [];
    callAfter(100 * dayMs, () => calls.push("late"));
    callAfter(-5, () => calls.push("past"));
    const callOff = callAfter(90 * dayMs, () => calls.push("never"));
    vi.advanceTimersByTime(80 * dayMs);
    expect(calls).toEqual(["past"]);
    callOff();
    vi.advanceTimersByTime(20 * dayMs);
    expect(calls).toEqual(["past", "late"]);
  });
});
