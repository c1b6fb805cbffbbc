import { readXids } from "./xid.ts";

/**
 * What to do about a sign of a lost GPU in a container.
 * recreate: the GPU is well, the container lost its way to it (a reload of systemd took its devices).
 * check: a program's own mistake looks the same, so that the inventory has to say.
 * cordon: the driver itself said that the GPU is out of order.
 */
export type GpuFaultAction = "recreate" | "check" | "cordon";

export interface GpuFault {
  action: GpuFaultAction;
  /** The line that says so, shortened. */
  evidence: string;
}

/**
 * Looks for signs of a lost GPU in what a container wrote, or in the engine's answer to its start; the gravest counts.
 * `gpus` are those that it was given: without any, its complaints mean nothing. A program can write what it likes into
 * its log: let the inventory confirm a cordon before work of others is moved.
 */
export function findGpuFault(lines: readonly string[], gpus: readonly string[]): GpuFault | undefined {
  if (gpus.length === 0) return undefined;
  let gravest: GpuFault | undefined;
  for (const line of lines) {
    const action = judgeLine(line);
    if (action === undefined || (gravest && rank[gravest.action] >= rank[action])) continue;
    gravest = { action, evidence: line.trim().slice(0, maxEvidenceChars) };
  }
  return gravest;
}

const rank = { recreate: 1, check: 2, cordon: 3 } as const;
const maxEvidenceChars = 300;

function judgeLine(line: string): GpuFaultAction | undefined {
  const [xid] = readXids(line);
  if (xid) return xid.isFatal ? "cordon" : "check";
  return signs.find(([pattern]) => pattern.test(line))?.[1];
}

const signs: readonly (readonly [RegExp, GpuFaultAction])[] = [
  [/GPU is lost|GPU has fallen off the bus|GPU requires reset/i, "cordon"],
  [/uncorrectable (NVLink|ECC) error|cudaErrorECCUncorrectable|CUDA_ERROR_ECC_UNCORRECTABLE/i, "cordon"],
  [/Unable to determine the device handle for GPU/i, "cordon"],
  // The container toolkit, when the container is started.
  [/nvidia-container-cli: device error: .*unknown device|unresolvable CDI devices/i, "cordon"],
  [/nvidia-container-cli: .*(driver not loaded|nvml error)/i, "cordon"],
  [/Failed to initialize NVML: Driver\/library version mismatch/i, "cordon"],

  [/Failed to initialize NVML: Unknown Error|NVMLError_Unknown/i, "recreate"],
  [/no CUDA-capable device is detected|CUDA_ERROR_NO_DEVICE|cudaErrorNoDevice/i, "recreate"],
  [/CUDA unknown error - this may be due to an incorrectly set up environment/i, "recreate"],
  [/No CUDA GPUs are available|Found no NVIDIA driver on your system/i, "recreate"],
  [/no ROCm-capable device is detected|No HIP GPUs are available|hipErrorNoDevice/i, "recreate"],
  [/Unable to open \/dev\/kfd/i, "recreate"],

  [/CUDA error: unspecified launch failure|CUDA_ERROR_LAUNCH_FAILED|cudaErrorLaunchFailure/i, "check"],
  [/CUDA error: (unknown error|hardware stack error|all CUDA-capable devices are busy or unavailable)/i, "check"],
  [/HW Exception by GPU node|GPU Hang|HSA_STATUS_ERROR_EXCEPTION/i, "check"],
];
