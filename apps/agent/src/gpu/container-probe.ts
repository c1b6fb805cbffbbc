import { findGpuFault, type GpuFault } from "./container-fault.ts";

/** The command that asks a container whether it still reaches its NVIDIA GPUs; the toolkit put it there. */
export const gpuProbeCommand = ["nvidia-smi", "-L"] as const;

/**
 * Judges the answer of the probe: the devices of a container can be gone while its program has not noticed yet.
 * Undefined: all is well, or the container has no nvidia-smi and nothing is known.
 */
export function readGpuProbe(
  { exitCode, output }: { exitCode: number; output: string },
  gpus: readonly string[],
): GpuFault | undefined {
  const wanted = gpus.filter((uuid) => /^(GPU|MIG)-/.test(uuid));
  // 126 and 127: there is no such program that could be run.
  if (wanted.length === 0 || exitCode === 126 || exitCode === 127) return undefined;
  const fault = findGpuFault(output.split("\n"), wanted);
  if (fault) return fault;
  const missing = wanted.filter((uuid) => !output.includes(uuid));
  if (exitCode === 0 && missing.length === 0) return undefined;
  const said = output.trim().slice(0, 200) || `nothing, exit code ${exitCode}`;
  return { action: "check", evidence: `nvidia-smi -L in the container does not list ${missing.join(", ")}: ${said}` };
}
