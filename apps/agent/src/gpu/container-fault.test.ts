import { describe, expect, it } from "vitest";
import { findGpuFault } from "./container-fault.ts";
import { gpuProbeCommand, readGpuProbe } from "./container-probe.ts";

const gpus = ["GPU-aa"];

describe("the signs of a lost GPU in a container", () => {
  it.each([
    ["Failed to initialize NVML: Unknown Error", "recreate"],
    ["RuntimeError: CUDA error: no CUDA-capable device is detected", "recreate"],
    ["RuntimeError: No CUDA GPUs are available", "recreate"],
    ["RuntimeError: CUDA error: unspecified launch failure", "check"],
    ["NVRM: Xid (PCI:0000:83:00): 13, pid=2815, Graphics SM Warp Exception", "check"],
    ["HW Exception by GPU node-1 (Agent handle: 0x5579) reason :GPU Hang", "check"],
    ["NVRM: Xid (PCI:0000:83:00): 79, pid=2815, GPU has fallen off the bus.", "cordon"],
    ["pynvml.NVMLError_GpuIsLost: GPU is lost", "cordon"],
    ["RuntimeError: CUDA error: uncorrectable ECC error encountered", "cordon"],
    ["nvidia-container-cli: device error: GPU-aa: unknown device: unknown", "cordon"],
    ["nvidia-container-cli: initialization error: nvml error: driver not loaded", "cordon"],
  ])("%s: %s", (line, action) => {
    expect(findGpuFault(["step 12", line], gpus)).toEqual({ action, evidence: line });
  });

  it("count by the gravest", () => {
    const lines = ["Failed to initialize NVML: Unknown Error", "GPU is lost", "CUDA error: unknown error"];
    expect(findGpuFault(lines, gpus)).toEqual({ action: "cordon", evidence: "GPU is lost" });
  });

  it("mean nothing where no GPU was given, and are not seen in ordinary lines", () => {
    expect(findGpuFault(["no CUDA-capable device is detected"], [])).toBeUndefined();
    const ordinary = [
      "CUDA error: device-side assert triggered",
      "xid 79 committed",
      "CUDA out of memory",
      "loss: 0.1",
    ];
    expect(findGpuFault(ordinary, gpus)).toBeUndefined();
  });
});

describe("the probe inside a container", () => {
  it("asks for the list and is content when it holds what was given", () => {
    expect(gpuProbeCommand).toEqual(["nvidia-smi", "-L"]);
    const output = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aa)\n";
    expect(readGpuProbe({ exitCode: 0, output }, gpus)).toBeUndefined();
  });

  it("says what a reload of systemd has done, and which GPU is missing", () => {
    const stripped = { exitCode: 255, output: "Failed to initialize NVML: Unknown Error\n" };
    expect(readGpuProbe(stripped, gpus)).toMatchObject({ action: "recreate" });
    expect(readGpuProbe({ exitCode: 0, output: "GPU 0: NVIDIA L4 (UUID: GPU-bb)" }, gpus)).toEqual({
      action: "check",
      evidence: "nvidia-smi -L in the container does not list GPU-aa: GPU 0: NVIDIA L4 (UUID: GPU-bb)",
    });
    expect(readGpuProbe({ exitCode: 6, output: "" }, gpus)?.evidence).toContain("exit code 6");
  });

  it("knows nothing of an image without nvidia-smi", () => {
    expect(readGpuProbe({ exitCode: 127, output: "exec: nvidia-smi: not found" }, gpus)).toBeUndefined();
  });
});
