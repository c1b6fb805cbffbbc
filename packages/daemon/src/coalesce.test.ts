import { describe, expect, it } from "vitest";
import { createCoalescer } from "./coalesce.ts";

describe("coalescer", () => {
  it("sends calls of one turn as one batch and answers each its own", async () => {
    const batches: number[][] = [];
    const double = createCoalescer<number, number>({
      run: async (items) => {
        batches.push(items);
        return items.map((n) => n * 2);
      },
    });
    expect(await Promise.all([double(1), double(2), double(3)])).toEqual([2, 4, 6]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it("gathers callers while every place is taken, and never runs more than allowed", async () => {
    const doors: (() => void)[] = [];
    const sizes: number[] = [];
    const call = createCoalescer<number, number>({
      maxInFlight: 1,
      run: async (items) => {
        sizes.push(items.length);
        await new Promise<void>((open) => doors.push(open));
        return items;
      },
    });
    const first = call(1);
    await expect.poll(() => doors.length).toBe(1);
    const others = [2, 3, 4].map((n) => call(n));
    expect(sizes).toEqual([1]);
    doors.shift()?.();
    await first;
    await expect.poll(() => doors.length).toBe(1);
    doors.shift()?.();
    expect(await Promise.all(others)).toEqual([2, 3, 4]);
    expect(sizes).toEqual([1, 3]);
  });

  it("splits what is over the limit and loses nobody", async () => {
    const call = createCoalescer<number, number>({ maxItems: 10, maxInFlight: 2, run: async (items) => items });
    const results = await Promise.all(Array.from({ length: 95 }, (_, n) => call(n)));
    expect(results).toEqual(Array.from({ length: 95 }, (_, n) => n));
  });

  it("hands a failure to every caller of the batch and goes on", async () => {
    let isBroken = true;
    const call = createCoalescer<number, number>({
      run: async (items) => {
        if (isBroken) throw new Error("broken");
        return items;
      },
    });
    await expect(Promise.all([call(1), call(2)])).rejects.toThrow("broken");
    isBroken = false;
    expect(await call(3)).toBe(3);
  });
});
