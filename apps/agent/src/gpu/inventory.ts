import { findAmdGpus } from "./amd.ts";
import { canonicalBusId, type FoundGpu, type GpuInventory, type VendorAnswer } from "./found.ts";
import { findNvidiaGpus } from "./nvidia.ts";
import { plausibleGpus } from "./plausible.ts";
import { createProgram, type RunProgram } from "./program.ts";
import { share, type SharingRule } from "./sharing.ts";
import { readXids } from "./xid.ts";

export interface FindGpusOptions {
  /** The programs that know the GPUs: a name on the path, or a path. A host without them has no GPUs. */
  nvidiaSmi?: string;
  rocmSmi?: string;
  /** Prints the kernel's log, in which the driver reports trouble; where it may not be read, nothing is said. */
  kernelLog?: string;
  sharing?: readonly SharingRule[];
  /** For each call of a program: a driver in trouble can hang, and the agent must go on all the same. */
  timeoutMs?: number;
  /** Where /proc, /sys and /dev are. */
  root?: string;
}

/** Looks once. What goes wrong is told in the inventory, never thrown. */
export function findGpus(options: FindGpusOptions = {}): Promise<GpuInventory> {
  return createGpuFinder(options)();
}

/** Makes a look that can be repeated, and that leaves a program alone which still hangs since the last time. */
export function createGpuFinder({
  nvidiaSmi = "nvidia-smi",
  rocmSmi = "rocm-smi",
  kernelLog = "dmesg",
  sharing = [],
  timeoutMs = 10_000,
  root = "/",
}: FindGpusOptions = {}): () => Promise<GpuInventory> {
  const runNvidiaSmi = createProgram({ program: nvidiaSmi, timeoutMs });
  const runRocmSmi = createProgram({ program: rocmSmi, timeoutMs });
  const runKernelLog = createProgram({ program: kernelLog, timeoutMs });
  return async () => {
    const [nvidia, amd] = await Promise.all([
      findNvidiaGpus({ run: runNvidiaSmi, root }),
      findAmdGpus({ run: runRocmSmi, root }),
    ]);
    const withXids = nvidia.gpus.length > 0 ? await markXids(nvidia.gpus, runKernelLog) : [];
    const { gpus, problems } = plausibleGpus([...withXids, ...amd.gpus]);
    const problem = [...nvidia.problems, ...amd.problems, ...problems].join(" ");
    return {
      gpus: gpus.map((gpu) => share(gpu, sharing)),
      ...(problem !== "" && { problem }),
      unlisted: [...unlistedVendor("nvidia", nvidia), ...unlistedVendor("amd", amd)],
      troubles: [...nvidia.troubles, ...amd.troubles],
    };
  };
}

async function markXids(gpus: readonly FoundGpu[], runKernelLog: RunProgram): Promise<FoundGpu[]> {
  const answer = await runKernelLog([]);
  const xids = answer.state === "ended" ? readXids(answer.stdout).filter(({ isFatal }) => isFatal) : [];
  return gpus.map((gpu) => {
    const last = xids.findLast(({ busId }) => busId === canonicalBusId(gpu.busId ?? ""));
    if (last === undefined) return gpu;
    return { ...gpu, isUsable: false, evidence: `${gpu.evidence ?? "The kernel's log says:"} ${last.line}` };
  });
}

function unlistedVendor<V extends string>(vendor: V, { isListed }: VendorAnswer): V[] {
  return isListed ? [] : [vendor];
}
