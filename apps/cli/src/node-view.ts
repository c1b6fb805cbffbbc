import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Node } from "@drover/proto/drover/node";
import { formatDuration } from "./duration.ts";
import { formatSize } from "./size.ts";
import type { Cell, Column } from "./table.ts";
import { nodeStateWord, stateColor } from "./word.ts";

export const nodeColumns: Column[] = [
  { heading: "NODE" },
  { heading: "STATE" },
  { heading: "RUNNING", align: "right" },
  { heading: "SLOTS", isFlexible: true },
  { heading: "EXECUTORS" },
  { heading: "LEASE", align: "right" },
  { heading: "JOINED", align: "right" },
  { heading: "VERSION" },
];

/** A node for programs. */
export function nodeJson({
  name,
  state,
  epoch,
  slots,
  executors,
  running,
  leaseExpiresAt,
  joinedAt,
  version,
  facts,
}: Node): Record<string, unknown> {
  const time = (at: Node["joinedAt"]) => (at === undefined ? null : new Date(timestampMs(at)).toISOString());
  return {
    name,
    state: nodeStateWord(state),
    epoch: Number(epoch),
    slots,
    executors,
    running,
    leaseExpiresAt: time(leaseExpiresAt),
    joinedAt: time(joinedAt),
    version,
    facts,
  };
}

/** A node as a row. */
export function nodeRow(node: Node, nowMs: number): (Cell | string)[] {
  return [
    node.name,
    nodeStateCell(node),
    String(node.running),
    slotsText(node.slots),
    node.executors.join(" ") || "-",
    leaseText(node, nowMs),
    node.joinedAt ? formatDuration(Math.max(0, nowMs - timestampMs(node.joinedAt))) : "",
    node.version,
  ];
}

/** Everything about a node, for people. */
export function nodeFacts(node: Node, nowMs: number): [string, Cell | string][] {
  return [
    ["Node", node.name],
    ["State", nodeStateCell(node)],
    ["Running", String(node.running)],
    ["Slots", slotsText(node.slots)],
    ["Executors", node.executors.join(" ") || "-"],
    ["Lease", leaseText(node, nowMs)],
    ["Epoch", String(node.epoch)],
    ["Version", node.version],
    ["Joined", node.joinedAt ? new Date(timestampMs(node.joinedAt)).toISOString() : "-"],
    ...Object.entries(node.facts)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]): [string, string] => [name, name.endsWith("Bytes") ? formatSize(Number(value)) : value]),
  ];
}

/** Slots by class, such as cpu_long=2 cpu_short=4. */
export function slotsText(slots: Record<string, number>): string {
  const texts = Object.entries(slots).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return texts.map(([name, count]) => `${name}=${count}`).join(" ") || "-";
}

function nodeStateCell({ state }: Node): Cell {
  const text = nodeStateWord(state);
  const color = stateColor(text);
  return { text, ...(color && { color }) };
}

function leaseText({ leaseExpiresAt }: Node, nowMs: number): string {
  if (leaseExpiresAt === undefined) return "-";
  const leftMs = timestampMs(leaseExpiresAt) - nowMs;
  return leftMs > 0 ? `${formatDuration(leftMs)} left` : `ended ${formatDuration(-leftMs)} ago`;
}
