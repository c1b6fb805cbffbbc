import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findGpus } from "./inventory.ts";
import { driverFiles, fakeKernelLog, fakeNvidiaSmi, fakeRoot } from "./testing.ts";
import type { FakeNvidiaSmi } from "./testing-nvidia.ts";

function look(fake: FakeNvidiaSmi, { root = fakeRoot({}), log = "" } = {}) {
  const { path } = fakeNvidiaSmi(fake);
  return findGpus({ nvidiaSmi: path, rocmSmi: "/no/such/program", kernelLog: fakeKernelLog(log).path, root });
}

describe("the inventory of NVIDIA GPUs", () => {
  it("lists each GPU with what the driver tells of it", async () => {
    const { gpus, problem } = await look({
      gpus: [
        { uuid: "GPU-aa", utilizationPercent: 87, temperatureCelsius: 61 },
        { uuid: "GPU-bb", model: "NVIDIA L4", memoryMib: 23034, busId: "00000000:83:00.0" },
      ],
    });
    expect(problem).toBeUndefined();
    expect(gpus).toMatchObject([
      { uuid: "GPU-aa", kind: "whole", vendor: "nvidia", index: 0, utilizationPercent: 87, temperatureCelsius: 61 },
      {
        uuid: "GPU-bb",
        model: "NVIDIA L4",
        memoryMib: 23034,
        busId: "0000:83:00.0",
        driver: "550.54.15",
        slotCount: 1,
      },
    ]);
    expect(gpus.every(({ isUsable }) => isUsable)).toBe(true);
  });

  it("asks a driver from before MIG again, for what it knows", async () => {
    const { gpus } = await look({ isBeforeMig: true, driver: "418.87", gpus: [{ uuid: "GPU-aa" }] });
    expect(gpus).toMatchObject([{ uuid: "GPU-aa", driver: "418.87", isUsable: true }]);
  });

  it("gives a GPU with MIG on as its slices, with the memory that they really have", async () => {
    const { gpus } = await look({
      gpus: [
        { uuid: "GPU-aa" },
        {
          uuid: "GPU-bb",
          slices: [
            { uuid: "MIG-b4b2228d", profile: "1g.10gb", memoryMib: 9984, gpuInstance: 11 },
            { uuid: "MIG-c71dc464", profile: "3g.40gb", memoryMib: 40448, gpuInstance: 1 },
          ],
        },
      ],
    });
    expect(gpus).toMatchObject([
      { uuid: "GPU-aa", kind: "whole" },
      { uuid: "MIG-b4b2228d", kind: "mig", profile: "1g.10gb", memoryMib: 9984, parentUuid: "GPU-bb", slotCount: 1 },
      { uuid: "MIG-c71dc464", kind: "mig", profile: "3g.40gb", memoryMib: 40448, parentUuid: "GPU-bb", index: 1 },
    ]);
  });

  it("names the device nodes by the driver's numbers, which are not the indices", async () => {
    const root = fakeRoot({
      ...driverFiles({ busId: "0000:10:00.0", minor: 1, uuid: "GPU-aa" }),
      ...driverFiles({ busId: "0000:20:00.0", minor: 0, uuid: "GPU-bb" }),
      "proc/driver/nvidia-caps/mig-minors": "config 1\nmonitor 2\ngpu0/gi1/access 12\ngpu0/gi1/ci0/access 13\n",
      "dev/nvidia-caps/nvidia-cap12": "",
      "dev/nvidia-caps/nvidia-cap13": "",
    });
    const slice = { uuid: "MIG-b4b2228d", profile: "1g.10gb", memoryMib: 9984, gpuInstance: 1 };
    const { gpus } = await look({ gpus: [{ uuid: "GPU-aa" }, { uuid: "GPU-bb", slices: [slice] }] }, { root });
    expect(gpus.map(({ deviceNodes }) => deviceNodes)).toEqual([
      ["/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"],
      [
        "/dev/nvidia0",
        "/dev/nvidiactl",
        "/dev/nvidia-uvm",
        "/dev/nvidia-caps/nvidia-cap12",
        "/dev/nvidia-caps/nvidia-cap13",
      ],
    ]);
  });

  it("tells a GPU in trouble from one that only does not tell everything", async () => {
    const { gpus } = await look({
      gpus: [
        { uuid: "GPU-aa", trouble: "[Unknown Error]" },
        { uuid: "GPU-bb", trouble: "[GPU requires reset]" },
        { uuid: "GPU-cc", trouble: "[N/A]" },
        { uuid: "GPU-dd", uncorrectableErrors: 3 },
        { uuid: "GPU-ee", trouble: "ERR!" },
      ],
    });
    expect(gpus.map(({ isUsable }) => isUsable)).toEqual([false, false, true, false, false]);
    expect(gpus.map(({ evidence }) => evidence)).toEqual([
      'nvidia-smi answers "[Unknown Error]" for temperature.gpu.',
      'nvidia-smi answers "[GPU requires reset]" for utilization.gpu.',
      undefined,
      "3 uncorrectable memory errors since the driver was loaded.",
      'nvidia-smi answers "ERR!" for temperature.gpu.',
    ]);
  });

  it("lists the others where a newer driver goes on after a lost GPU, and names that one by the kernel's word", async () => {
    const root = fakeRoot(driverFiles({ busId: "0000:10:00.0", minor: 0, uuid: "GPU-aa" }));
    const answer = await look({ gpus: [{ uuid: "GPU-aa", lost: "Unknown Error" }, { uuid: "GPU-bb" }] }, { root });
    expect(answer.gpus.map(({ uuid }) => uuid)).toEqual(["GPU-bb"]);
    expect(answer.unlisted).toEqual([]);
    expect(answer.troubles).toEqual([
      {
        uuid: "GPU-aa",
        busId: "0000:10:00.0",
        evidence: "nvidia-smi: Unable to determine the device handle for GPU0: 0000:10:00.0: Unknown Error",
      },
    ]);
    expect(answer.problem).toContain("Unable to determine the device handle");
  });

  it("asks the others one by one where an older driver stops at a lost GPU", async () => {
    const gpus = [
      { uuid: "GPU-aa" },
      { uuid: "GPU-bb", lost: "GPU is lost.  Reboot the system to recover this GPU" },
      { uuid: "GPU-cc" },
    ];
    const buses = ["0000:10:00.0", "0000:20:00.0", "0000:30:00.0"];
    const files = buses.map((busId, minor) => driverFiles({ busId, minor, uuid: gpus[minor]?.uuid ?? "" }));
    const root = fakeRoot(Object.assign({}, ...files));
    const fake = fakeNvidiaSmi({ stopsAtLost: true, gpus });
    const answer = await findGpus({ nvidiaSmi: fake.path, rocmSmi: "/no/such/program", root });
    expect(answer.gpus.map(({ uuid }) => uuid)).toEqual(["GPU-aa", "GPU-cc"]);
    expect(answer.troubles).toMatchObject([{ uuid: "GPU-bb", evidence: expect.stringContaining("GPU is lost") }]);
    expect(answer.unlisted).toEqual([]);
    expect(readFileSync(fake.calls, "utf8")).toContain("-i 0000:30:00.0");
  });

  it("claims no complete list where an older driver stopped and the others could not be asked", async () => {
    const answer = await look({
      stopsAtLost: true,
      gpus: [{ uuid: "GPU-aa" }, { uuid: "GPU-bb", lost: "GPU is lost." }],
    });
    expect(answer.unlisted).toEqual(["nvidia"]);
    expect(answer.gpus.map(({ uuid }) => uuid)).toEqual(["GPU-aa"]);
  });

  it("takes an empty list for an answer, and a driver that is not there for none", async () => {
    expect(await look({ gpus: [] })).toEqual({
      gpus: [],
      problem: "nvidia-smi: No devices were found",
      unlisted: [],
      troubles: [],
    });
    const failure = { text: "Failed to initialize NVML: Driver/library version mismatch", exitCode: 18 };
    expect(await look({ failure })).toMatchObject({
      gpus: [],
      problem: expect.stringContaining("exit code 18: the driver was updated and not loaded anew"),
      unlisted: ["nvidia"],
    });
  });

  it("sets a GPU aside for a fatal Xid since the driver was loaded, not for a program's own mistake", async () => {
    const log = `[    9.1] NVRM: Xid (PCI:0000:30:00): 79, pid=1, GPU has fallen off the bus.
[   10.0] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024
[  812.4] NVRM: Xid (PCI:0000:10:00): 31, pid=2815, name=python, Ch 00000008, intr 00000000. MMU Fault
[  913.9] NVRM: Xid (PCI:0000:20:00): 119, pid=2815, name=python, Timeout after 6s of waiting for RPC response from GPU1 GSP!
`;
    const { gpus } = await look({ gpus: [{ uuid: "GPU-aa" }, { uuid: "GPU-bb" }, { uuid: "GPU-cc" }] }, { log });
    expect(gpus.map(({ isUsable }) => isUsable)).toEqual([true, false, true]);
    expect(gpus[1]?.evidence).toMatch(/^The kernel's log says: NVRM: Xid \(PCI:0000:20:00\): 119, .* GSP!$/);
  });
});
