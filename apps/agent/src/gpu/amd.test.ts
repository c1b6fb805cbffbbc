import { describe, expect, it } from "vitest";
import { findGpus } from "./inventory.ts";
import { fakeRocmSmi, fakeRoot } from "./testing.ts";
import type { FakeRocmSmi } from "./testing.ts";

function look(fake: FakeRocmSmi, root = fakeRoot({})) {
  return findGpus({ nvidiaSmi: "/no/such/program", rocmSmi: fakeRocmSmi(fake).path, root });
}

describe("the inventory of AMD GPUs", () => {
  it("reads what ROCm 5 says, after the warnings of its libraries", async () => {
    const { gpus, problem } = await look({
      warning: "/opt/amdgpu/share/libdrm/amdgpu.ids: No such file or directory",
      cards: {
        card0: {
          "GPU ID": "0x740f",
          "Unique ID": "0x4bf0e6a01d2c3f5",
          "VRAM Total Memory (B)": "68702699520",
          "VRAM Total Used Memory (B)": "11001856",
          "GPU use (%)": "12",
          "PCI Bus": "0000:C4:00.0",
          "Card series": "AMD Instinct MI210",
          "Card model": "0x0c34",
        },
        system: { "Driver version": "5.13.20.22.10" },
      },
    });
    expect(problem).toBeUndefined();
    expect(gpus).toEqual([
      {
        uuid: "GPU-04bf0e6a01d2c3f5",
        kind: "whole",
        vendor: "amd",
        index: 0,
        model: "AMD Instinct MI210",
        memoryMib: 65520,
        driver: "5.13.20.22.10",
        slotCount: 1,
        usedMib: 10,
        utilizationPercent: 12,
        isUsable: true,
        busId: "0000:c4:00.0",
        deviceNodes: [],
        deviceGroups: [],
      },
    ]);
  });

  it("reads what ROCm 6 says, of cards without an id of their own too", async () => {
    const { gpus } = await look({
      cards: {
        card0: {
          "Device Name": "Phoenix3",
          "Device ID": "0x1900",
          "Unique ID": "N/A",
          "VRAM Total Memory (B)": "4294967296",
          "PCI Bus": "0000:C4:00.0",
          "Card Series": "0x1900",
        },
        card1: {
          "Unique ID": "0xb24f6e1a52f31e0c",
          "VRAM Total Memory (B)": "21458059264",
          "GPU use (%)": "0",
          "Card Series": "Radeon RX 7900 XT",
          "PCI Bus": "0000:03:00.0",
        },
        system: { "Driver version": "6.8.0-41-generic" },
      },
    });
    expect(gpus).toMatchObject([
      { uuid: "GPU-amd-0000:c4:00.0", model: "Phoenix3", memoryMib: 4096 },
      { uuid: "GPU-b24f6e1a52f31e0c", model: "Radeon RX 7900 XT", memoryMib: 20464, utilizationPercent: 0 },
    ]);
  });

  it("finds the device nodes by the card's place on the bus, and tells partitions of one card apart", async () => {
    const card = { "Unique ID": "0xb24f6e1a52f31e0c", "VRAM Total Memory (B)": "21458059264", "Card Series": "MI300X" };
    const root = fakeRoot({
      "sys/bus/pci/devices/0000:03:00.0/drm/renderD129/uevent": "",
      "sys/bus/pci/devices/0000:03:00.0/drm/card1/uevent": "",
      "dev/kfd": "",
      "dev/dri/renderD129": "",
    });
    const { gpus } = await look({ cards: { card0: { ...card, "PCI Bus": "0000:03:00.0" }, card1: card } }, root);
    expect(gpus.map(({ uuid, deviceNodes }) => [uuid, deviceNodes])).toEqual([
      ["GPU-b24f6e1a52f31e0c/0", ["/dev/kfd", "/dev/dri/renderD129"]],
      ["GPU-b24f6e1a52f31e0c/1", []],
    ]);
  });

  it("tells a card in trouble, no cards, and no answer apart", async () => {
    const faulty = await look({ cards: { card0: { "Unique ID": "0x1f", "VRAM Total Memory (B)": "N/A" } } });
    expect(faulty.gpus).toMatchObject([
      { uuid: "GPU-000000000000001f", isUsable: false, evidence: expect.any(String) },
    ]);
    expect(await look({})).toEqual({ gpus: [], unlisted: [], troubles: [] });
    const failure = { text: "ERROR:root:Driver not initialized (amdgpu not found in modules)", exitCode: 1 };
    expect(await look({ failure })).toMatchObject({
      gpus: [],
      problem: `rocm-smi failed: ${failure.text}`,
      unlisted: ["amd"],
    });
  });
});
