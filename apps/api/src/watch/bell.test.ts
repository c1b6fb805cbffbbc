import { expect, it } from "vitest";
import { createBell } from "./bell.ts";

it("waits for a hint, however long a wait it was asked for", async () => {
  let ring: (hint: string) => void = () => {};
  const wakeups = {
    isListening: true,
    start: async () => {},
    stop: async () => {},
    subscribe(listener: (hint: string) => void) {
      ring = listener;
      return () => {};
    },
  };
  const bell = createBell({ wakeups, hints: ["ours"], signal: new AbortController().signal });
  let isOver = false;
  const long = bell.wait(2_147_484_000).then(() => (isOver = true));
  // A timer that overflowed would fire after 1 ms.
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(isOver).toBe(false);
  ring("of others");
  ring("ours");
  await long;
});
