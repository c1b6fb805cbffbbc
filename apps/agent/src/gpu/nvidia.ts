import { canonicalBusId, type FoundGpu, type GpuTrouble, type VendorAnswer } from "./found.ts";
import { type DriverGpu, driverGpus, wholeNodes } from "./nvidia-node.ts";
import { findSlices } from "./nvidia-slice.ts";
import { type CsvRow, readCsv, readHandleTroubles, readNumber } from "./nvidia-text.ts";
import { exitMeaning, judgeRow } from "./nvidia-trouble.ts";
import type { ProgramAnswer, RunProgram } from "./program.ts";

export interface NvidiaOptions {
  run: RunProgram;
  /** Where /proc and /dev are: `/`, but for tests. */
  root: string;
}

/**
 * Lists the NVIDIA GPUs by nvidia-smi. The CSV query is asked first: its fields keep their names from driver to driver,
 * and a GPU in trouble still has its row. `-L` and `-q -x` are asked only where MIG is on.
 */
export async function findNvidiaGpus({ run, root }: NvidiaOptions): Promise<VendorAnswer> {
  const { answer, rows, complaints } = await ask(run, []);
  if (answer.state === "missing") return { gpus: [], isListed: true, problems: [], troubles: [] };
  if (answer.state === "unknown") return unlisted(answer.problem);
  const complaint = complaints.join(" ") || answer.stderr.trim();
  const isEmpty = /no devices were found/i.test(complaint);
  const handleTroubles = readHandleTroubles(complaints);
  if (rows.length === 0 && !isEmpty && handleTroubles.length === 0) {
    return unlisted(`nvidia-smi failed: ${complaint || "it said nothing."}${exitMeaning(answer.exitCode)}`);
  }

  const known = await driverGpus(root);
  const rest = await askTheRest({ run, known, rows, handleTroubles });
  const isListed = rest.isComplete && (known.length > 0 || isEmpty || answer.exitCode === 0);
  const all = [...rows, ...rest.rows];
  const found = await Promise.all(all.map((row, position) => gpuOf(row, position, root)));
  const nameless = all.flatMap((row, position) => (found[position] ? [] : [namelessTrouble(row)]));
  const troubles = [...handleTroubles, ...nameless].map((trouble) => withUuid(trouble, known));
  const whole = {
    gpus: found.filter((gpu) => gpu !== undefined),
    isListed,
    problems: handleTroubles.length > 0 || all.length === 0 ? [`nvidia-smi: ${complaint}`] : [],
    troubles,
  };
  const partitioned = all.filter((row) => /^enabled$/i.test(row["mig.mode.current"] ?? ""));
  if (partitioned.length === 0) return whole;
  return findSlices({ run, root, whole, partitioned: new Set(partitioned.map((row) => row["uuid"] ?? "")) });
}

const basicFields = ["index", "uuid", "name", "memory.total", "driver_version", "pci.bus_id"];
const allFields = [
  ...basicFields,
  "utilization.gpu",
  "memory.used",
  "temperature.gpu",
  "pstate",
  "ecc.errors.uncorrected.volatile.total",
  "mig.mode.current",
];

async function ask(run: RunProgram, selection: readonly string[]) {
  let fields = allFields;
  let answer = await query(run, fields, selection);
  // A driver from before MIG refuses the whole query: Field "mig.mode.current" is not a valid field to query.
  if (answer.state === "ended" && answer.exitCode !== 0 && /is not a valid field to query/i.test(answer.stdout)) {
    fields = basicFields;
    answer = await query(run, fields, selection);
  }
  return { answer, ...readCsv(answer.state === "ended" ? answer.stdout : "", fields) };
}

function query(run: RunProgram, fields: readonly string[], selection: readonly string[]): Promise<ProgramAnswer> {
  return run([`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits", ...selection]);
}

// An older driver stops at the first GPU that it cannot reach; the others still answer when they are asked alone.
async function askTheRest({
  run,
  known,
  rows,
  handleTroubles,
}: {
  run: RunProgram;
  known: readonly DriverGpu[];
  rows: readonly CsvRow[];
  handleTroubles: readonly GpuTrouble[];
}): Promise<{ rows: CsvRow[]; isComplete: boolean }> {
  const heard = new Set([...rows.map((row) => canonicalBusId(row["pci.bus_id"] ?? "")), ...handleTroubles.map(busOf)]);
  const found: CsvRow[] = [];
  let isComplete = true;
  for (const { busId } of handleTroubles.length > 0 ? known : []) {
    if (heard.has(busId)) continue;
    const alone = await ask(run, ["-i", busId]);
    found.push(...alone.rows);
    if (alone.rows.length === 0) isComplete = false;
  }
  return { rows: found, isComplete };
}

function busOf({ busId }: GpuTrouble): string {
  return busId ?? "";
}

async function gpuOf(row: CsvRow, position: number, root: string): Promise<FoundGpu | undefined> {
  const uuid = row["uuid"] ?? "";
  if (!uuid.startsWith("GPU-")) return undefined;
  const busId = canonicalBusId(row["pci.bus_id"] ?? "");
  const utilizationPercent = readNumber(row["utilization.gpu"]);
  const usedMib = readNumber(row["memory.used"]);
  const temperatureCelsius = readNumber(row["temperature.gpu"]);
  const evidence = judgeRow(row);
  return {
    uuid,
    kind: "whole",
    vendor: "nvidia",
    index: readNumber(row["index"]) ?? position,
    model: row["name"] ?? "",
    memoryMib: readNumber(row["memory.total"]) ?? 0,
    driver: row["driver_version"] ?? "",
    slotCount: 1,
    ...(utilizationPercent !== undefined && { utilizationPercent }),
    ...(usedMib !== undefined && { usedMib }),
    ...(temperatureCelsius !== undefined && { temperatureCelsius }),
    isUsable: evidence === undefined,
    ...(evidence !== undefined && { evidence }),
    busId,
    deviceNodes: await wholeNodes(root, busId),
    deviceGroups: [],
  };
}

// A row that does not even tell whose it is.
function namelessTrouble(row: CsvRow): GpuTrouble {
  const busId = canonicalBusId(row["pci.bus_id"] ?? "");
  return {
    ...(/^[0-9a-f]{4}:/.test(busId) && { busId }),
    evidence: judgeRow(row) ?? `nvidia-smi answers "${row["uuid"]}" for uuid.`,
  };
}

function withUuid(trouble: GpuTrouble, known: readonly DriverGpu[]): GpuTrouble {
  const uuid = known.find(({ busId }) => busId === trouble.busId)?.uuid;
  return { ...trouble, ...(uuid !== undefined && { uuid }) };
}

function unlisted(problem: string): VendorAnswer {
  return { gpus: [], isListed: false, problems: [problem], troubles: [] };
}
