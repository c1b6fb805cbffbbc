import { print, quote } from "./testing-shell.ts";

export interface FakeSlice {
  uuid: string;
  profile: string;
  memoryMib: number;
  gpuInstance: number;
  computeInstance?: number;
}

export interface FakeNvidiaGpu {
  uuid: string;
  model?: string;
  memoryMib?: number;
  /** Long form: `00000000:83:00.0`. Left out, the GPU's place in the list makes one. */
  busId?: string;
  utilizationPercent?: number;
  temperatureCelsius?: number;
  uncorrectableErrors?: number;
  /** Turns MIG on. */
  slices?: FakeSlice[];
  /** What the driver answers for most fields: `[Unknown Error]`, `[GPU requires reset]`. */
  trouble?: string;
  /** The driver has no handle for it: "Unknown Error", or "GPU is lost. Reboot the system to recover this GPU". */
  lost?: string;
}

export interface FakeNvidiaSmi {
  gpus?: FakeNvidiaGpu[];
  driver?: string;
  /** As drivers up to about 525: stops at the first GPU that is lost. */
  stopsAtLost?: boolean;
  /** As drivers before 450: knows nothing of MIG. */
  isBeforeMig?: boolean;
  /** The program fails as a whole, with this text. */
  failure?: { text: string; exitCode: number };
  isHanging?: boolean;
}

/** The script of a program that answers as nvidia-smi does, in the formats of drivers 450 to 570. */
export function nvidiaScript(fake: FakeNvidiaSmi): string {
  if (fake.isHanging) return "exec sleep 60";
  if (fake.failure) return `${print(fake.failure.text)}\nexit ${fake.failure.exitCode}`;
  const gpus = (fake.gpus ?? []).map((gpu, index) => ({ ...gpu, index, busId: gpu.busId ?? busOf(index) }));
  if (gpus.length === 0) return `echo "No devices were found"\nexit 6`;
  const refusal = `Field "mig.mode.current" is not a valid field to query.`;
  return `
case "$*" in
  -L) ${print(gpus.map((gpu) => listingOf(gpu)).join("\n"))}; exit 0 ;;
  "-q -x") ${print(descriptionOf(gpus, fake))}; exit 0 ;;
  --query-gpu=*noheader,nounits*) ;;
  *) echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."; exit 2 ;;
esac
fields=\${1#--query-gpu=}
${fake.isBeforeMig ? `case "$fields" in *mig.*) ${print(refusal)}; exit 2 ;; esac` : ""}
selected=""
[ "$3" = "-i" ] && selected=$4
status=0
cell() {
  case "$1/$2" in
${gpus.flatMap((gpu) => Object.entries(cellsOf(gpu, fake)).map(([field, value]) => `    ${gpu.index}/${field}) value=${quote(value)} ;;`)).join("\n")}
    *) echo "Field \\"$2\\" is not a valid field to query."; exit 2 ;;
  esac
}
row() {
  line=""
  rest=$fields,
  while [ -n "$rest" ]; do
    cell "$1" "\${rest%%,*}"
    rest=\${rest#*,}
    line="$line\${line:+, }$value"
  done
  echo "$line"
}
${gpus.map((gpu) => gpuBlock(gpu, fake)).join("\n")}
exit $status`;
}

type PlacedGpu = FakeNvidiaGpu & { index: number; busId: string };

function gpuBlock(gpu: PlacedGpu, { stopsAtLost }: FakeNvidiaSmi): string {
  const names = [String(gpu.index), gpu.uuid, gpu.busId, gpu.busId.slice(4)].map((name) => `"${name}"`).join(" | ");
  // Old and new drivers name the GPU differently here.
  const which = stopsAtLost ? `GPU ${gpu.busId.slice(4)}` : `GPU${gpu.index}: ${gpu.busId.slice(4)}`;
  const complaint = print(`Unable to determine the device handle for ${which}: ${gpu.lost ?? ""}`);
  const lost = stopsAtLost ? `${complaint}; exit 15` : `${complaint}; status=15`;
  return `case "$selected" in "" | ${names}) ${gpu.lost === undefined ? `row ${gpu.index}` : lost} ;; esac`;
}

function cellsOf(gpu: PlacedGpu, { driver = "550.54.15" }: FakeNvidiaSmi): Record<string, string> {
  const { trouble } = gpu;
  return {
    index: String(gpu.index),
    uuid: gpu.uuid,
    name: modelOf(gpu),
    "memory.total": String(gpu.memoryMib ?? 81559),
    driver_version: driver,
    "pci.bus_id": gpu.busId,
    "utilization.gpu": trouble ?? (gpu.slices ? "[N/A]" : String(gpu.utilizationPercent ?? 0)),
    "memory.used": trouble ?? "4",
    "temperature.gpu": trouble ?? String(gpu.temperatureCelsius ?? 34),
    pstate: trouble ?? "P0",
    "ecc.errors.uncorrected.volatile.total": trouble ?? String(gpu.uncorrectableErrors ?? 0),
    "mig.mode.current": gpu.slices ? "Enabled" : "Disabled",
  };
}

function listingOf(gpu: PlacedGpu): string {
  if (gpu.lost !== undefined) return `Unable to determine the device handle for gpu ${gpu.busId.slice(4)}: ${gpu.lost}`;
  const slices = (gpu.slices ?? []).map(
    ({ uuid, profile }, device) => `  MIG ${profile.padEnd(11)} Device ${String(device).padStart(2)}: (UUID: ${uuid})`,
  );
  return [`GPU ${gpu.index}: ${modelOf(gpu)} (UUID: ${gpu.uuid})`, ...slices].join("\n");
}

function descriptionOf(gpus: readonly PlacedGpu[], { driver = "550.54.15" }: FakeNvidiaSmi): string {
  return `<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
	<timestamp>Fri Oct 11 18:24:09 2024</timestamp>
	<driver_version>${driver}</driver_version>
	<cuda_version>12.4</cuda_version>
	<attached_gpus>${gpus.length}</attached_gpus>
${gpus.map((gpu) => gpuElement(gpu)).join("\n")}
</nvidia_smi_log>`;
}

function gpuElement(gpu: PlacedGpu): string {
  const mode = gpu.slices ? "Enabled" : "Disabled";
  return `	<gpu id="${gpu.busId}">
		<product_name>${modelOf(gpu)}</product_name>
		<mig_mode>
			<current_mig>${mode}</current_mig>
			<pending_mig>${mode}</pending_mig>
		</mig_mode>
		<mig_devices>
${(gpu.slices ?? []).map((slice, index) => sliceElement(slice, index)).join("\n") || "\t\t\tNone"}
		</mig_devices>
		<uuid>${gpu.uuid}</uuid>
		<minor_number>${gpu.index}</minor_number>
		<fb_memory_usage>
			<total>${gpu.memoryMib ?? 81559} MiB</total>
			<used>4 MiB</used>
		</fb_memory_usage>
	</gpu>`;
}

function sliceElement(slice: FakeSlice, index: number): string {
  return `			<mig_device>
				<index>${index}</index>
				<gpu_instance_id>${slice.gpuInstance}</gpu_instance_id>
				<compute_instance_id>${slice.computeInstance ?? 0}</compute_instance_id>
				<device_attributes>
					<shared>
						<multiprocessor_count>42</multiprocessor_count>
					</shared>
				</device_attributes>
				<fb_memory_usage>
					<total>${slice.memoryMib} MiB</total>
					<reserved>0 MiB</reserved>
					<used>11 MiB</used>
					<free>${slice.memoryMib - 11} MiB</free>
				</fb_memory_usage>
			</mig_device>`;
}

function modelOf({ model = "NVIDIA H100 80GB HBM3" }: FakeNvidiaGpu): string {
  return model;
}

function busOf(index: number): string {
  return `00000000:${(index * 16 + 16).toString(16).padStart(2, "0").toUpperCase()}:00.0`;
}
