import { type Gpu, type GpuHolder, GpuStateSchema } from "@drover/proto/drover/node";
import { formatSize } from "./size.ts";
import type { Cell, Column } from "./table.ts";
import { stateColor } from "./word.ts";

export const gpuColumns: Column[] = [
  { heading: "NODE" },
  { heading: "NO", align: "right" },
  { heading: "UUID" },
  { heading: "MODEL", isFlexible: true },
  { heading: "MEMORY", align: "right" },
  { heading: "KIND" },
  { heading: "STATE" },
  { heading: "USED", align: "right" },
  { heading: "LOAD", align: "right" },
  { heading: "HELD BY", isFlexible: true },
  { heading: "NOTE", isFlexible: true },
];

/** A GPU for programs. */
export function gpuJson(gpu: Gpu): Record<string, unknown> {
  return {
    node: gpu.node,
    uuid: gpu.uuid,
    kind: gpu.kind,
    vendor: gpu.vendor,
    number: gpu.number,
    model: gpu.model,
    memoryMib: gpu.memoryMib,
    driver: gpu.driver,
    profile: gpu.profile || null,
    parentUuid: gpu.parentUuid || null,
    slots: gpu.slots,
    holders: gpu.holders.map(({ slot, taskId, replica, memoryMib }) => ({
      slot,
      taskId: taskId || null,
      replica: replica || null,
      memoryMib: memoryMib || null,
    })),
    state: gpuStateWord(gpu),
    evidence: gpu.evidence || null,
    utilizationPercent: gpu.utilizationPercent ?? null,
  };
}

/** A GPU as a row, with why it is not ready. */
export function gpuRow(gpu: Gpu): (Cell | string)[] {
  const holders = gpu.holders.map(holderText).join(", ");
  return [
    gpu.node,
    String(gpu.number),
    gpu.uuid,
    gpu.model,
    formatSize(gpu.memoryMib * 2 ** 20),
    gpu.profile ? `${gpu.kind} ${gpu.profile}` : gpu.kind,
    gpuStateCell(gpu),
    `${gpu.holders.length}/${gpu.slots}`,
    gpu.utilizationPercent === undefined ? "-" : `${gpu.utilizationPercent}%`,
    holders || "-",
    gpu.evidence,
  ];
}

function holderText({ taskId, replica, memoryMib }: GpuHolder): string {
  const who = replica === "" ? `task ${taskId}` : replica;
  return memoryMib === 0 ? who : `${who} (${formatSize(memoryMib * 2 ** 20)})`;
}

function gpuStateCell(gpu: Gpu): Cell {
  const text = gpuStateWord(gpu);
  const color = text === "cordoned" ? "yellow" : text === "gone" ? "red" : stateColor(text);
  return { text, ...(color && { color }) };
}

function gpuStateWord({ state }: Gpu): string {
  return GpuStateSchema.value[state]?.localName.toLowerCase() ?? `unknown (${state})`;
}
