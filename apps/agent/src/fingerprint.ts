import { execFile } from "node:child_process";
import { arch, availableParallelism, hostname, release, totalmem, type } from "node:os";
import { promisify } from "node:util";

export interface Gpu {
  index: number;
  uuid: string;
  name: string;
  memoryMib: number;
  driverVersion: string;
}

export interface FingerprintOptions {
  /** The program that knows the GPUs: a name on the path, or a path. */
  nvidiaSmi?: string;
  /** A driver in trouble can hang; the agent must start all the same. */
  timeoutMs?: number;
}

/** The facts of this host that placement and people ask for; each executor adds its own by its probe. */
export async function fingerprint(options: FingerprintOptions = {}): Promise<Record<string, string>> {
  const gpus = await findGpus(options);
  return {
    hostname: hostname(),
    arch: arch(),
    kernel: `${type()} ${release()}`,
    cpu_cores: String(availableParallelism()),
    memory_bytes: String(totalmem()),
    ...gpuFacts(gpus),
  };
}

/** Lists the GPUs by nvidia-smi, or says why there is no list. A host without the program has none. */
export async function findGpus({ nvidiaSmi = "nvidia-smi", timeoutMs = 10_000 }: FingerprintOptions = {}): Promise<
  { gpus: Gpu[] } | { problem: string }
> {
  try {
    const query = ["--query-gpu=index,uuid,name,memory.total,driver_version", "--format=csv,noheader,nounits"];
    const { stdout } = await promisify(execFile)(nvidiaSmi, query, { timeout: timeoutMs, killSignal: "SIGKILL" });
    return { gpus: stdout.split("\n").flatMap(readGpu) };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { gpus: [] };
    const isLate = error instanceof Error && "killed" in error && error.killed === true;
    return {
      problem: isLate
        ? `${nvidiaSmi} did not answer within ${timeoutMs} ms.`
        : `${nvidiaSmi} failed: ${detailOf(error)}`,
    };
  }
}

// A line: 0, GPU-5a2f..., NVIDIA H100 80GB HBM3, 81559, 550.54.15
function readGpu(line: string): Gpu[] {
  const [index = "", uuid = "", name = "", memoryMib = "", driverVersion = ""] = line
    .split(",")
    .map((cell) => cell.trim());
  if (!/^\d+$/.test(index) || uuid === "") return [];
  return [{ index: Number(index), uuid, name, memoryMib: Number(memoryMib) || 0, driverVersion }];
}

function gpuFacts(found: { gpus: Gpu[] } | { problem: string }): Record<string, string> {
  if ("problem" in found) return { gpu_count: "0", gpu_missing: found.problem };
  const { gpus } = found;
  const [first] = gpus;
  if (first === undefined) return { gpu_count: "0" };
  return {
    gpu_count: String(gpus.length),
    gpu_names: [...new Set(gpus.map(({ name }) => name))].join(", "),
    gpu_memory_mib: gpus.map(({ memoryMib }) => memoryMib).join(","),
    gpu_uuids: gpus.map(({ uuid }) => uuid).join(","),
    gpu_driver: first.driverVersion,
  };
}

// The program tells its reason on stdout, not on stderr.
function detailOf(error: unknown): string {
  const { stdout, stderr, message } = error as { stdout?: string; stderr?: string; message?: string };
  return [stdout, stderr, message].map((text) => text?.trim() ?? "").find((text) => text !== "") ?? String(error);
}
