import type { CsvRow } from "./nvidia-text.ts";

/** Says why a GPU cannot be used, by its row; undefined where all is well. */
export function judgeRow(row: CsvRow): string | undefined {
  for (const [field, cell] of Object.entries(row)) {
    if (isFatal.test(cell)) return `nvidia-smi answers "${cell}" for ${field}.`;
  }
  for (const field of tellingFields) {
    const cell = row[field];
    if (cell !== undefined && isUnclear.test(cell)) return `nvidia-smi answers "${cell}" for ${field}.`;
  }
  const lost = Number(row["ecc.errors.uncorrected.volatile.total"]);
  if (lost > 0) return `${lost} uncorrectable memory ${lost === 1 ? "error" : "errors"} since the driver was loaded.`;
  return undefined;
}

const isFatal = /^\[?GPU (is lost|requires reset|has fallen off the bus)/i;
const isUnclear = /^(\[?Unknown Error\]?|\[?ERR!\]?)$/i;
// Healthy GPUs of some machines answer so for the rest: fans, and the use of a GPU that draws a desktop.
const tellingFields = ["uuid", "name", "memory.total", "temperature.gpu", "pstate"];

/** What an exit code of nvidia-smi means, after its manual and, for 18, NVML. */
export function exitMeaning(exitCode: number): string {
  const meaning = exitMeanings[exitCode];
  return meaning === undefined ? ` (exit code ${exitCode})` : ` (exit code ${exitCode}: ${meaning})`;
}

const exitMeanings: Readonly<Record<number, string>> = {
  4: "no permission",
  8: "a power cable of a GPU is not attached",
  9: "the driver is not loaded",
  10: "the kernel found a problem with a GPU's interrupts",
  12: "the NVML library was not found",
  14: "the infoROM of a GPU is corrupt",
  15: "a GPU has fallen off the bus",
  18: "the driver was updated and not loaded anew",
};
