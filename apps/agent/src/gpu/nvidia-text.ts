import { canonicalBusId, type GpuTrouble } from "./found.ts";

/** A line of `--query-gpu … --format=csv,noheader,nounits`, by the names of the fields asked for. */
export type CsvRow = Readonly<Record<string, string>>;

/** A MIG device as `nvidia-smi -L` names it. */
export interface ListedSlice {
  gpuIndex: number;
  device: number;
  uuid: string;
  profile: string;
}

/** What only `nvidia-smi -q -x` knows of a MIG device. */
export interface DescribedSlice {
  memoryMib: number | undefined;
  gpuInstance: string;
  computeInstance: string;
}

/** Reads the rows; everything else that was printed is what the driver had to complain about. */
export function readCsv(stdout: string, fields: readonly string[]): { rows: CsvRow[]; complaints: string[] } {
  const rows: CsvRow[] = [];
  const complaints: string[] = [];
  for (const line of stdout.split("\n").map((text) => text.trim())) {
    const cells = line.split(",").map((cell) => cell.trim());
    if (cells.length === fields.length) {
      rows.push(Object.fromEntries(fields.map((field, column) => [field, cells[column] ?? ""])));
    } else if (line !== "") complaints.push(line);
  }
  return { rows, complaints };
}

/**
 * Reads "Unable to determine the device handle for GPU …". Drivers up to about 525 stop there, newer ones go on with
 * the other GPUs.
 *
 * @example GPU 0000:0B:00.0: Unknown Error
 * @example GPU0000:07:00.0: Unknown Error
 * @example GPU1: 0000:34:00.0: GPU is lost. Reboot the system to recover this GPU
 * @example GPU1: Unknown Error
 */
export function readHandleTroubles(complaints: readonly string[]): GpuTrouble[] {
  return complaints.flatMap((line) => {
    if (!/unable to determine the device handle for gpu/i.test(line)) return [];
    const busId = /[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]/i.exec(line)?.[0];
    return [{ evidence: `nvidia-smi: ${line}`, ...(busId && { busId: canonicalBusId(busId) }) }];
  });
}

/**
 * Reads the MIG devices of `nvidia-smi -L`.
 *
 * @example
 * GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-c08d91cb-e324-655c-71ba-7570956445bc)
 *   MIG 1g.10gb     Device  0: (UUID: MIG-b4b2228d-6933-5839-bc0e-41ab9edb61c6)
 */
export function readSliceList(stdout: string): ListedSlice[] {
  let gpuIndex = -1;
  return stdout.split("\n").flatMap((line) => {
    const gpu = /^GPU (\d+): /.exec(line);
    if (gpu) gpuIndex = Number(gpu[1]);
    // Drivers before 470 write MIG-GPU-<uuid of the GPU>/<GPU instance>/<compute instance>.
    const [, profile, device, uuid] = /^\s+MIG (\S+)\s+Device\s+(\d+):\s+\(UUID: (MIG-[^)]+)\)/.exec(line) ?? [];
    if (profile === undefined || device === undefined || uuid === undefined) return [];
    return [{ gpuIndex, device: Number(device), uuid, profile }];
  });
}

/** Reads the MIG devices of `nvidia-smi -q -x`, by the UUID of their GPU and their number on it: `GPU-…/0`. */
export function readSliceDescriptions(xml: string): Map<string, DescribedSlice> {
  const slices = new Map<string, DescribedSlice>();
  for (const [gpu] of xml.matchAll(/<gpu\b[^>]*>.*?<\/gpu>/gs)) {
    // From drivers 570 on a MIG device may have a <uuid> of its own: the GPU's is the one outside of them.
    const uuid = elementOf(gpu.replace(/<mig_devices>.*?<\/mig_devices>/s, ""), "uuid");
    for (const [device] of gpu.matchAll(/<mig_device>.*?<\/mig_device>/gs)) {
      slices.set(`${uuid}/${elementOf(device, "index")}`, {
        memoryMib: readNumber(elementOf(elementOf(device, "fb_memory_usage"), "total")),
        gpuInstance: elementOf(device, "gpu_instance_id"),
        computeInstance: elementOf(device, "compute_instance_id"),
      });
    }
  }
  return slices;
}

/** `19968 MiB`, `81559` or `34`; undefined for `[N/A]` and everything else that is no number. */
export function readNumber(text: string | undefined): number | undefined {
  const [, digits] = /^(\d+)(?:\.\d+)?(?: \S+)?$/.exec(text?.trim() ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits);
}

// The output is made by a machine, and these elements have no attributes: no reason for a dependency.
function elementOf(xml: string, name: string): string {
  return new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(xml)?.[1]?.trim() ?? "";
}
