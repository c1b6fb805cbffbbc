import { describe, expect, it } from "vitest";
import { compareInventory, knownGpus } from "./compare.ts";
import type { FoundGpu } from "./found.ts";
import { createGpuFinder } from "./inventory.ts";
import { driverFiles, fakeNvidiaSmi, fakeRoot } from "./testing.ts";
import type { FakeNvidiaSmi } from "./testing-nvidia.ts";

const slice = { uuid: "MIG-1", profile: "1g.10gb", memoryMib: 9984, gpuInstance: 1 };
const two = [{ uuid: "GPU-aa" }, { uuid: "GPU-bb" }];

/** Looks at one host after the other; says what changed with the last look. */
async function changesOf(fakes: FakeNvidiaSmi[], root = fakeRoot({})) {
  const fake = fakeNvidiaSmi({});
  let known: FoundGpu[] = [];
  let changes: string[] = [];
  for (const next of fakes) {
    fake.set(next);
    const find = createGpuFinder({
      nvidiaSmi: fake.path,
      rocmSmi: "/no/such/program",
      timeoutMs: next.isHanging ? 300 : 10_000,
      root,
    });
    const now = await find();
    changes = compareInventory(known, now).map(({ message }) => message);
    known = knownGpus(known, now);
  }
  return { changes, known };
}

describe("what became of a host's GPUs", () => {
  it("is nothing where nothing happened, and all are found at first", async () => {
    expect((await changesOf([{ gpus: two }])).changes).toHaveLength(2);
    expect((await changesOf([{ gpus: two }, { gpus: two }])).changes).toEqual([]);
  });

  it("is told once of a GPU in error, with the driver's words, and again when it has recovered", async () => {
    const bad = [{ uuid: "GPU-aa" }, { uuid: "GPU-bb", trouble: "[GPU requires reset]" }];
    expect((await changesOf([{ gpus: two }, { gpus: bad }])).changes).toEqual([
      'lost: GPU-bb (NVIDIA H100 80GB HBM3, 1) because nvidia-smi answers "[GPU requires reset]" for utilization.gpu.',
    ]);
    expect((await changesOf([{ gpus: two }, { gpus: bad }, { gpus: bad }])).changes).toEqual([]);
    expect((await changesOf([{ gpus: two }, { gpus: bad }, { gpus: two }])).changes).toEqual([
      expect.stringMatching(/^recovered: GPU-bb /),
    ]);
  });

  it("tells a GPU off the bus as lost and keeps it, out of use, for the report", async () => {
    const root = fakeRoot({
      ...driverFiles({ busId: "0000:10:00.0", minor: 0, uuid: "GPU-aa" }),
      ...driverFiles({ busId: "0000:20:00.0", minor: 1, uuid: "GPU-bb" }),
    });
    const lost = [{ uuid: "GPU-aa" }, { uuid: "GPU-bb", lost: "GPU is lost.  Reboot the system to recover this GPU" }];
    for (const stopsAtLost of [true, false]) {
      const { changes, known } = await changesOf([{ gpus: two }, { gpus: lost, stopsAtLost }], root);
      expect(changes).toEqual([
        expect.stringMatching(/^lost: GPU-bb .* because nvidia-smi: Unable to determine .*GPU is lost/),
      ]);
      expect(known).toMatchObject([
        { uuid: "GPU-aa", isUsable: true },
        { uuid: "GPU-bb", isUsable: false, evidence: expect.stringContaining("GPU is lost") },
      ]);
    }
  });

  it("is lost for all where the driver lists none, and unknown where it does not answer", async () => {
    expect((await changesOf([{ gpus: two }, { gpus: [] }])).changes).toEqual([
      expect.stringMatching(/^lost: GPU-aa .* no longer lists it\. nvidia-smi: No devices were found$/),
      expect.stringMatching(/^lost: GPU-bb /),
    ]);
    expect((await changesOf([{ gpus: two }, { isHanging: true }])).changes).toEqual([
      expect.stringMatching(/^unknown: GPU-aa .* did not answer within 300 ms\.$/),
      expect.stringMatching(/^unknown: GPU-bb /),
    ]);
    expect((await changesOf([{ gpus: two }, { isHanging: true }, { gpus: two }])).changes).toEqual([
      expect.stringMatching(/^recovered: GPU-aa /),
      expect.stringMatching(/^recovered: GPU-bb /),
    ]);
  });

  it("says that MIG was turned on and off again", async () => {
    const partitioned = [{ uuid: "GPU-aa", slices: [slice] }];
    expect((await changesOf([{ gpus: [{ uuid: "GPU-aa" }] }, { gpus: partitioned }])).changes).toEqual([
      expect.stringMatching(/^found: MIG-1 /),
      expect.stringMatching(/^lost: GPU-aa .* MIG was turned on/),
    ]);
    expect((await changesOf([{ gpus: partitioned }, { gpus: [{ uuid: "GPU-aa" }] }])).changes).toEqual([
      expect.stringMatching(/^found: GPU-aa /),
      expect.stringMatching(/^lost: MIG-1 .* MIG was turned off/),
    ]);
    expect((await changesOf([{ gpus: partitioned }, { gpus: [{ uuid: "GPU-aa", slices: [] }] }])).changes).toEqual([
      expect.stringMatching(/^lost: MIG-1 .* MIG is on and it has no slices/),
    ]);
  });

  it("names what is different about a GPU", async () => {
    expect((await changesOf([{ gpus: two }, { gpus: two, driver: "570.86.10" }])).changes[0]).toBe(
      "changed: GPU-aa (NVIDIA H100 80GB HBM3, 0) because driver was 550.54.15 and is 570.86.10.",
    );
  });
});
