import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createGpuFinder, findGpus } from "./inventory.ts";
import { parseSharing } from "./sharing.ts";
import { fakeNvidiaSmi, fakeRocmSmi } from "./testing.ts";

const missing = "/no/such/program";

describe("the inventory of a host", () => {
  it("is empty and without a fault where neither program is there", async () => {
    expect(await findGpus({ nvidiaSmi: missing, rocmSmi: missing })).toEqual({ gpus: [], unlisted: [], troubles: [] });
  });

  it("holds the GPUs of one vendor while the other's program hangs, and says so", async () => {
    const answer = await findGpus({
      nvidiaSmi: fakeNvidiaSmi({ gpus: [{ uuid: "GPU-aa" }] }).path,
      rocmSmi: fakeRocmSmi({ isHanging: true }).path,
      timeoutMs: 2000,
    });
    expect(answer.gpus.map(({ uuid }) => uuid)).toEqual(["GPU-aa"]);
    expect(answer.unlisted).toEqual(["amd"]);
    expect(answer.problem).toMatch(/rocm-smi did not answer within 2000 ms\.$/);
  });

  it("looks anew each time, and kills what hung", async () => {
    const fake = fakeNvidiaSmi({ isHanging: true });
    const find = createGpuFinder({ nvidiaSmi: fake.path, rocmSmi: missing, timeoutMs: 300 });
    expect((await find()).unlisted).toEqual(["nvidia"]);
    fake.set({ gpus: [{ uuid: "GPU-aa" }] });
    const again = createGpuFinder({ nvidiaSmi: fake.path, rocmSmi: missing });
    expect((await again()).gpus).toHaveLength(1);
    await expect.poll(async () => (await find()).problem ?? "").not.toContain("still hangs");
    expect(readFileSync(fake.calls, "utf8").trim().split("\n").length).toBeGreaterThanOrEqual(3);
  });

  it("gives a shared GPU as many slots as its rule says, and slices one each", async () => {
    const slice = { uuid: "MIG-1", profile: "1g.10gb", memoryMib: 9984, gpuInstance: 1 };
    const { path } = fakeNvidiaSmi({
      gpus: [
        { uuid: "GPU-5d5ba0d6-aa" },
        { uuid: "GPU-bb", model: "NVIDIA L4" },
        { uuid: "GPU-cc" },
        { uuid: "GPU-dd", slices: [slice] },
      ],
    });
    const sharing = parseSharing("GPU-5d5ba0d6=4, *L4=2, *=1");
    const { gpus } = await findGpus({ nvidiaSmi: path, rocmSmi: missing, sharing });
    expect(gpus.map(({ kind, slotCount }) => `${kind} ${slotCount}`)).toEqual([
      "shared 4",
      "shared 2",
      "whole 1",
      "mig 1",
    ]);
  });
});

describe("the operator's rules of sharing", () => {
  it("are read in their order", () => {
    expect(parseSharing("GPU-5d5ba0d6=4,*=1")).toEqual([
      { pattern: "GPU-5d5ba0d6", slotCount: 4 },
      { pattern: "*", slotCount: 1 },
    ]);
    expect(parseSharing("")).toEqual([]);
  });

  it("are refused with every fault at once", () => {
    expect(() => parseSharing("GPU-aa,L4=0,MIG-1=2,*=2,*L4*=3")).toThrow(
      'GPU sharing: expected PATTERN=COUNT, got "GPU-aa"; ' +
        'expected a whole number from 1 to 48 after "L4=", got "0"; ' +
        'expected a GPU, got "MIG-1": MIG slices are not shared; ' +
        'expected "*" last, got "*L4*" after it, which would never count.',
    );
  });
});
