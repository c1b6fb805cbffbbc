import { expect, it } from "vitest";
import { createCutOff } from "./cut-off.ts";
import { wantReplica } from "./testing.ts";

const stopAfter = (afterSeconds: number) => wantReplica({ spec: { onDisconnect: { kind: "stop", afterSeconds } } });

it("counts from the last answer, by the node's own clock, and never before the next sync is late", () => {
  let now = 1000;
  const cutOff = createCutOff({ now: () => now });
  now = 5000;
  cutOff.answered(1000);
  expect(cutOff.stopAtMs(stopAfter(30))).toBe(35_000);
  expect(cutOff.stopAtMs(stopAfter(2))).toBe(11_000);
  now = 20_000;
  cutOff.answered(60_000);
  expect(cutOff.stopAtMs(stopAfter(30))).toBe(85_000);
});

it("never stops what is to be kept or replaced", () => {
  const cutOff = createCutOff({ now: () => 0 });
  for (const kind of ["keep", "replace"] as const)
    expect(cutOff.stopAtMs(wantReplica({ spec: { onDisconnect: { kind } } }))).toBe(Number.POSITIVE_INFINITY);
});

it("is impatient before the first answer of a life, which may have begun in the middle of a disconnection", () => {
  const cutOff = createCutOff({ now: () => 1000 });
  expect([5, 600].map((seconds) => cutOff.stopAtMsByLabel(seconds))).toEqual([6000, 16_000]);
});
