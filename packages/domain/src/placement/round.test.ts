import { describe, expect, it } from "vitest";
import type { PlacementNode } from "./node.ts";
import { createRound, type Wanted } from "./round.ts";
import { testGpu, testNode, testRequest } from "./testing.ts";

const gpuNode = (id: number, count: number, taken: number): PlacementNode =>
  testNode(id, {
    slots: { gpu: 16 },
    gpus: Array.from({ length: count }, (_, n) => testGpu(id * 100 + n, { takenSlots: n < taken ? [0] : [] })),
  });

const wanted = (count: number, isOverdue = false): Wanted => ({
  requests: [testRequest({ class: "gpu", gpus: { count, share: "whole" } })],
  isOverdue,
});

function setup(taken: number[], size = 4) {
  const nodes = taken.map((count, index) => gpuNode(index + 1, size, count));
  const emptied = taken.map((_, index) => gpuNode(index + 1, size, 0));
  const round = createRound({ nodes, emptied });
  const nodeOf = (one: Wanted) => {
    const answer = round.place(one);
    return Array.isArray(answer) ? answer.map(({ nodeId }) => nodeId) : "none";
  };
  return { round, nodeOf };
}

describe("createRound", () => {
  it("lets small requests pass a large one that came just now", () => {
    const { round, nodeOf } = setup([1]);
    expect(nodeOf(wanted(4))).toBe("none");
    expect(nodeOf(wanted(1))).toEqual([1]);
    expect(round.reserved).toBe(0);
  });

  it("keeps what is free on the closest node for one that is overdue, and gives others the rest", () => {
    const { round, nodeOf } = setup([1, 3, 2]);
    expect(nodeOf(wanted(4, true))).toBe("none");
    expect(round.reserved).toBe(1);
    const others = Array.from({ length: 4 }, () => nodeOf(wanted(1)));
    expect(others.map(String).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(["2", "3", "3", "none"]);
  });

  it("keeps other nodes for a second one", () => {
    const { nodeOf } = setup([1, 1, 4]);
    expect(nodeOf(wanted(4, true))).toBe("none");
    expect(nodeOf(wanted(4, true))).toBe("none");
    expect(nodeOf(wanted(1))).toBe("none");
  });

  it("counts what was given in the same round before it", () => {
    const { nodeOf } = setup([0, 1]);
    expect(nodeOf(wanted(2))).toEqual([2]);
    expect(nodeOf(wanted(2))).toEqual([1]);
    expect(nodeOf(wanted(4, true))).toBe("none");
    expect(nodeOf(wanted(1))).toEqual([2]);
    expect(nodeOf(wanted(1))).toBe("none");
  });

  it("keeps nothing for what could never run here", () => {
    const { round, nodeOf } = setup([1]);
    expect(nodeOf(wanted(5, true))).toBe("none");
    expect(round.reserved).toBe(0);
    expect(nodeOf(wanted(3))).toEqual([1]);
  });

  it("keeps room for every member of a gang", () => {
    const { nodeOf } = setup([2, 1, 4]);
    const gang: Wanted = {
      requests: [wanted(3), wanted(3), wanted(3)].flatMap((one) => one.requests),
      isOverdue: true,
    };
    expect(nodeOf(gang)).toBe("none");
    expect(nodeOf(wanted(1))).toBe("none");
  });
});
