import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Placer } from "./choose.ts";
import { createPlacer } from "./choose.ts";
import type { PlacementNode } from "./node.ts";
import type { NoPlacement, Placement, PlacementRequest } from "./request.ts";
import { nodesOf, requestOf } from "./testing-arbitrary.ts";
import type { Placed } from "./testing-oracle.ts";
import { canRun, collide, portsOf } from "./testing-oracle.ts";

describe("a round of placing", () => {
  it("gives nothing away twice, and places whenever there is room", () => {
    fc.assert(
      fc.property(nodesOf, manyRequests, (nodes, requests) => {
        const placer = createPlacer(nodes);
        const placed: Placed[] = [];
        for (const request of requests) {
          placeEach(placer, nodes, placed, [request]);
          expectSound(nodes, placed);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("places gangs and sets that must stay together as a whole or leaves no trace of them", () => {
    const wayOf = fc.constantFrom("place", "gang", "together", "ask why");
    const steps = fc.array(fc.tuple(wayOf, fc.array(fc.nat(3), { minLength: 1, maxLength: 4 })), {
      maxLength: 15,
      size: "max",
    });
    const sortsOf = fc.array(requestOf, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(nodesOf, sortsOf, steps, (nodes, sorts, ways) => {
        const placer = createPlacer(nodes);
        const placed: Placed[] = [];
        const failed: NoPlacement[] = [];
        for (const [way, picks] of ways) {
          const requests = pickFrom(sorts, picks);
          if (way === "place") placeEach(placer, nodes, placed, requests);
          // Asking why, however late, is answered and changes nothing.
          else if (way === "ask why")
            for (const answer of failed) expect(answer.rejections()).toHaveLength(nodes.length);
          else {
            const answer = way === "gang" ? placer.placeGang(requests) : placer.placeTogether(requests);
            if ("rejections" in answer) failed.push(answer);
            else {
              expect(answer).toHaveLength(requests.length);
              if (way === "together") expect(new Set(answer.map(({ nodeId }) => nodeId)).size).toBe(1);
              placed.push(...requests.map((request, index) => ({ request, placement: answer[index] ?? nowhere })));
            }
          }
          expectSound(nodes, placed);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("places a gang of equals exactly if as many of them fit one by one", () => {
    fc.assert(
      fc.property(nodesOf, manyRequests, requestOf, fc.integer({ min: 1, max: 8 }), (nodes, others, request, size) => {
        const [oneByOne, atOnce] = [createPlacer(nodes), createPlacer(nodes)];
        for (const other of others) for (const placer of [oneByOne, atOnce]) placer.place(other);
        const gang = atOnce.placeGang(Array.from({ length: size }, () => request));
        const fits = Array.from({ length: size }, () => oneByOne.place(request)).every(
          (answer) => !("rejections" in answer),
        );
        expect("rejections" in gang).toBe(!fits);
      }),
      { numRuns: 500 },
    );
  });

  it("decides the same whatever the order in which the nodes were read", () => {
    fc.assert(
      fc.property(nodesOf, manyRequests, (nodes, requests) => {
        const [forward, backward] = [createPlacer(nodes), createPlacer(nodes.toReversed())];
        for (const request of requests) {
          const [one, other] = [forward.place(request), backward.place(request)];
          expect("rejections" in one ? undefined : one).toEqual("rejections" in other ? undefined : other);
        }
      }),
    );
  });
});

/** Few that differ, many that are equal: both fill nodes, and only equals fail for having failed before. */
const manyRequests = fc.oneof(
  fc.array(requestOf, { maxLength: 30, size: "max" }),
  fc
    .tuple(fc.array(requestOf, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(3), { maxLength: 40, size: "max" }))
    .map(([sorts, picks]) => pickFrom(sorts, picks)),
);

const nowhere: Placement = { nodeId: -1, gpus: [] };

function pickFrom(sorts: PlacementRequest[], picks: number[]): PlacementRequest[] {
  return picks.flatMap((pick) => sorts[pick % sorts.length] ?? []);
}

/** Places one by one where the oracle sees room: were a trace left of what failed before, it would see more. */
function placeEach(placer: Placer, nodes: PlacementNode[], placed: Placed[], requests: PlacementRequest[]) {
  for (const request of requests) {
    const answer = placer.place(request);
    const possible = nodes.filter((node) => canRun(node, placed, request));
    if ("rejections" in answer) {
      expect(possible).toEqual([]);
      expect(answer.rejections().map(({ node }) => node)).toEqual(nodes.map(({ name }) => name));
    } else {
      expect(possible.map(({ id }) => id)).toContain(answer.nodeId);
      placed.push({ request, placement: answer });
    }
  }
}

function expectSound(nodes: PlacementNode[], placed: Placed[]) {
  for (const node of nodes) {
    const here = placed.filter(({ placement }) => placement.nodeId === node.id);
    const asked = (amount: (request: PlacementRequest) => number) =>
      here.reduce((sum, { request }) => sum + amount(request), 0);
    const { cpu, memory } = { cpu: asked((each) => each.cpuMillicores), memory: asked((each) => each.memoryBytes) };
    if (cpu > 0) expect(node.cpuUsed + cpu).toBeLessThanOrEqual(node.cpuMillicores);
    if (memory > 0) expect(node.memoryUsed + memory).toBeLessThanOrEqual(node.memoryBytes);
    for (const [name, free] of Object.entries(node.slots)) {
      expect(asked((each) => Number(each.class === name))).toBeLessThanOrEqual(free);
    }
    const ports = [...node.hostPorts.keys(), ...here.flatMap(({ request }) => portsOf(request))];
    for (const [index, port] of ports.entries())
      expect(ports.slice(index + 1).some((other) => collide(port, other))).toBe(false);
    for (const gpu of node.gpus) {
      const slots = here.flatMap(({ placement }) => placement.gpus).filter(({ gpuId }) => gpuId === gpu.id);
      const numbers = [...gpu.takenSlots, ...slots.map(({ slot }) => slot)];
      expect(new Set(numbers).size).toBe(numbers.length);
      if (slots.length > 0) expect(gpu.isUsable).toBe(true);
      for (const { slot } of slots) expect(slot).toBeLessThan(gpu.slotCount);
      expect(slots.reduce((sum, slot) => sum + (slot.memoryMib ?? 0), 0)).toBeLessThanOrEqual(
        gpu.memoryMib - gpu.takenMib,
      );
    }
    for (const { request, placement } of here) expectAsked(request, placement);
  }
  expect(placed.every(({ placement }) => nodes.some(({ id }) => id === placement.nodeId))).toBe(true);
}

/** As many GPUs as asked for, each different. */
function expectAsked({ gpus }: PlacementRequest, placement: Placement) {
  expect(new Set(placement.gpus.map(({ gpuId }) => gpuId)).size).toBe(gpus?.count ?? 0);
  if (gpus?.share !== "whole") expect(placement.gpus).toHaveLength(gpus?.count ?? 0);
}
