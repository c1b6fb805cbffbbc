import { expect, it } from "vitest";
import { createGatherer } from "./gather.ts";
import { createLatest } from "./latest.ts";

function setup() {
  const sent: string[][] = [];
  let release = () => {};
  const send = (items: string[]) => {
    sent.push(items);
    return new Promise<void>((resolve) => (release = resolve));
  };
  return { sent, send, release: () => release() };
}

it("sends what gathered within a moment together", async () => {
  const { sent, send } = setup();
  const gatherer = createGatherer({ send, waitMs: 5 });
  void gatherer.add("a", 1);
  void gatherer.add("b", 1);
  await expect.poll(() => sent).toEqual([["a", "b"]]);
});

it("has those who add wait once a size is reached, until it is sent", async () => {
  const { sent, send, release } = setup();
  const gatherer = createGatherer({ send, maxBytes: 10 });
  expect(gatherer.add("a", 4)).toBeUndefined();
  const full = gatherer.add("b", 6);
  expect(sent).toEqual([["a", "b"]]);
  expect(gatherer.add("c", 9)).toBeUndefined();
  expect(gatherer.add("d", 1)).toBeInstanceOf(Promise);
  release();
  await expect.poll(() => sent).toEqual([["a", "b"], ["c", "d"]]); // prettier-ignore
  release();
  await full;
  await gatherer.flush();
  expect(sent).toHaveLength(2);
});

it("sends the newest value of each key, leaving out what was overtaken", async () => {
  const sent: string[] = [];
  let release = () => {};
  const latest = createLatest<string>({
    send(value) {
      sent.push(value);
      return new Promise<void>((resolve) => (release = resolve));
    },
  });
  void latest.put("x", "x1");
  void latest.put("x", "x2");
  void latest.put("y", "y1");
  const all = latest.put("x", "x3");
  expect(sent).toEqual(["x1"]);
  release();
  await expect.poll(() => sent).toEqual(["x1", "x3"]);
  release();
  await expect.poll(() => sent).toEqual(["x1", "x3", "y1"]);
  release();
  await all;
  void latest.put("x", "x4");
  expect(sent.at(-1)).toBe("x4");
});
