import { describe, expect, it } from "vitest";
import { chooseGpus, gpuConditions, matchingGpus } from "./gpu.ts";
import type { GpuRequest } from "../environment/declaration.ts";
import type { PlacementGpu } from "./node.ts";
import { testGpu, testNode } from "./testing.ts";

describe("chooseGpus for whole GPUs", () => {
  it("gives away those that nobody uses", () => {
    const gpus = [testGpu(1, { takenSlots: [0] }), testGpu(2), testGpu(3)];
    expect(choose(gpus, { count: 2 })).toEqual([
      { gpuId: 2, uuid: "GPU-2", slot: 0 },
      { gpuId: 3, uuid: "GPU-3", slot: 0 },
    ]);
    expect(choose(gpus, { count: 3 })).toBeUndefined();
  });

  it("leaves the larger ones to others", () => {
    const gpus = [testGpu(1), testGpu(2, { memoryMib: 40_960 })];
    expect(ids(choose(gpus, { count: 1 }))).toEqual([2]);
    expect(ids(choose(gpus, { count: 1, memoryMib: 50_000 }))).toEqual([1]);
  });

  it("takes all slots of a time-sliced one, but only where nobody uses it and none other is free", () => {
    const sliced = testGpu(1, { kind: "shared", slotCount: 3 });
    expect(ids(choose([sliced, testGpu(2)], { count: 1 }))).toEqual([2]);
    expect(choose([sliced], { count: 1 })?.map(({ slot }) => slot)).toEqual([0, 1, 2]);
    expect(choose([{ ...sliced, takenSlots: [2] }], { count: 1 })).toBeUndefined();
  });

  it("never gives away a slice or one that is out of order", () => {
    expect(choose([testGpu(1, { kind: "mig", profile: "7g.80gb" })], { count: 1 })).toBeUndefined();
    expect(choose([testGpu(1, { isUsable: false })], { count: 1 })).toBeUndefined();
  });
});

describe("chooseGpus for MIG slices", () => {
  const slices = [
    testGpu(1, { kind: "mig", profile: "3g.40gb", memoryMib: 40_960 }),
    testGpu(2, { kind: "mig", profile: "1g.10gb", memoryMib: 9728 }),
    testGpu(3, { kind: "mig", profile: "1g.10gb", memoryMib: 9728, takenSlots: [0] }),
  ];

  it("finds them by profile and by memory, the smallest that will do", () => {
    expect(ids(choose(slices, { count: 1, share: "mig", profile: "1G.10GB" }))).toEqual([2]);
    expect(ids(choose(slices, { count: 1, share: "mig" }))).toEqual([2]);
    expect(ids(choose(slices, { count: 1, share: "mig", memoryMib: 20_000 }))).toEqual([1]);
    expect(choose(slices, { count: 2, share: "mig", profile: "1g.10gb" })).toBeUndefined();
  });
});

describe("chooseGpus for places on shared GPUs", () => {
  const shared = (id: number, differences: Partial<PlacementGpu>) =>
    testGpu(id, { kind: "shared", slotCount: 4, memoryMib: 24_576, ...differences });

  it("sets memory aside where the least is left over, on the lowest free slot", () => {
    const gpus = [shared(1, {}), shared(2, { takenSlots: [0, 2], takenMib: 10_000 })];
    const asked = { count: 1, share: "shared", memoryMib: 8192 } as const;
    expect(choose(gpus, asked)).toEqual([{ gpuId: 2, uuid: "GPU-2", slot: 1, memoryMib: 8192 }]);
    expect(ids(choose(gpus, { ...asked, memoryMib: 20_000 }))).toEqual([1]);
  });

  it("fills the fullest where as much memory is left", () => {
    const gpus = [shared(1, { takenSlots: [0] }), shared(2, { takenSlots: [0, 1] }), shared(3, {})];
    expect(choose(gpus, { count: 1, share: "shared" })).toEqual([{ gpuId: 2, uuid: "GPU-2", slot: 2 }]);
  });

  it("gives each of several on a GPU of its own", () => {
    expect(choose([shared(1, {})], { count: 2, share: "shared" })).toBeUndefined();
    expect(ids(choose([shared(1, {}), shared(2, {})], { count: 2, share: "shared" }))).toEqual([1, 2]);
  });

  it("keeps to the slots that are left where an operator has made fewer of them", () => {
    expect(choose([shared(1, { slotCount: 1, takenSlots: [3] })], { count: 1, share: "shared" })?.[0]?.slot).toBe(0);
    expect(choose([shared(1, { slotCount: 1, takenSlots: [0, 3] })], { count: 1, share: "shared" })).toBeUndefined();
  });
});

function choose(gpus: PlacementGpu[], asked: Partial<GpuRequest> & { count: number }) {
  const request: GpuRequest = { share: "whole", ...asked };
  return chooseGpus(matchingGpus(testNode(1, { gpus }), gpuConditions(request)), request);
}

function ids(slots: ReturnType<typeof choose>) {
  return slots?.map(({ gpuId }) => gpuId);
}
