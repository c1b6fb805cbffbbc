import { expect, it } from "vitest";
import { deadlineAfter, within } from "./deadline.ts";

it.each([2 ** 31, 4_320_000_000, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])(
  "a deadline after %d ms is far away, though no timer can take it",
  async (ms) => {
    const deadline = deadlineAfter(ms);
    // By then a timer that overflowed, which fires after 1 ms, would have.
    await within(new Promise((resolve) => setTimeout(resolve, 5)), { deadline, what: "a timer" });
    expect(deadline.aborted).toBe(false);
  },
);

it("a deadline that has passed aborts at once", async () => {
  const deadline = deadlineAfter(-5000);
  await expect.poll(() => deadline.aborted).toBe(true);
});
