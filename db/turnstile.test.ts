import { describe, expect, it } from "vitest";
import { createTurnstile } from "./turnstile.ts";

describe("turnstile", () => {
  it("lets no more in than it has places, and everyone in the order of coming", async () => {
    const enter = createTurnstile(2);
    const doors = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    const begun: number[] = [];
    const all = doors.map((door, n) =>
      enter(() => {
        begun.push(n);
        return door.promise;
      }),
    );
    expect(begun).toEqual([0, 1]);
    doors[1]?.resolve();
    await expect.poll(() => begun).toEqual([0, 1, 2]);
    doors.forEach((door) => door.resolve());
    await Promise.all(all);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it("gives a place back when the work fails", async () => {
    const enter = createTurnstile(1);
    await expect(enter(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await enter(async () => "yes")).toBe("yes");
  });
});
