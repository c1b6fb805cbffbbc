import { canonicalBusId } from "./found.ts";

/** A report of the NVIDIA kernel driver that something is wrong with a GPU. */
export interface Xid {
  busId: string;
  number: number;
  line: string;
  /** The GPU needs a reset or the host a restart; otherwise a program was at fault and the GPU is none the worse. */
  isFatal: boolean;
}

/**
 * Reads the Xid reports of a kernel log since the driver was last loaded, which is what heals most of them.
 *
 * @example NVRM: Xid (PCI:0000:83:00): 79, pid=2815, name=python, GPU has fallen off the bus.
 */
export function readXids(kernelLog: string): Xid[] {
  const lines = kernelLog.split("\n");
  const loaded = lines.findLastIndex((line) => /NVRM: loading NVIDIA UNIX/.test(line));
  return lines.slice(loaded + 1).flatMap((line) => {
    const [text, bus, number] = xidPattern.exec(line) ?? [];
    if (text === undefined || bus === undefined || number === undefined) return [];
    return [
      {
        busId: canonicalBusId(bus),
        number: Number(number),
        line: text.trim(),
        isFatal: fatalXids.has(Number(number)),
      },
    ];
  });
}

const xidPattern = /(?:NVRM: )?\bXid \(PCI:([0-9a-f:.]+)(?: GPU-I:\d+)?\): (\d+)\b.*/i;

// Those that NVIDIA's catalogue answers with a reset of the GPU or a restart of the host: stopped processing (46),
// uncorrectable memory (48, 64, 95, 140), microcontrollers (62, 110, 119, 120, 136, 143), NVLink (74), off the bus (79).
const fatalXids = new Set([46, 48, 62, 64, 74, 79, 95, 110, 119, 120, 136, 140, 143]);
