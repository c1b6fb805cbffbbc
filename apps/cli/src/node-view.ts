import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { type DrainItem, GpuState, type JoinToken, type Node } from "@drover/proto/drover/node";
import { formatDuration } from "./duration.ts";
import { moment, pairs } from "./fact.ts";
import { gpuJson } from "./gpu-view.ts";
import { factRow } from "./node-fact.ts";
import type { Cell, Column } from "./table.ts";
import { nodeStateWord, stateColor } from "./word.ts";

export const nodeColumns: Column[] = [
  { heading: "NODE" },
  { heading: "STATE" },
  { heading: "RUNNING", align: "right" },
  { heading: "REPLICAS", align: "right" },
  { heading: "GPUS", align: "right" },
  { heading: "SLOTS", isFlexible: true },
  { heading: "EXECUTORS" },
  { heading: "LABELS", isFlexible: true },
  { heading: "TAINTS", isFlexible: true },
  { heading: "LEASE", align: "right" },
  { heading: "JOINED", align: "right" },
  { heading: "VERSION" },
  { heading: "NOTE", isFlexible: true },
];

/** A node for programs. */
export function nodeJson(node: Node): Record<string, unknown> {
  return {
    name: node.name,
    state: stateOf(node),
    epoch: Number(node.epoch),
    slots: node.slots,
    executors: node.executors,
    running: node.running,
    replicas: node.replicas,
    labels: node.labels,
    taints: node.taints,
    isCordoned: node.isCordoned,
    cordonReason: node.cordonReason || null,
    drainDeadlineAt: timeText(node.drainDeadlineAt),
    isEmpty: isEmpty(node),
    gpus: node.gpus.map(gpuJson),
    leaseExpiresAt: timeText(node.leaseExpiresAt),
    lostAt: timeText(node.lostAt),
    joinedAt: timeText(node.joinedAt),
    version: node.version,
    facts: node.facts,
  };
}

/** A node as a row. */
export function nodeRow(node: Node, nowMs: number): (Cell | string)[] {
  return [
    node.name,
    nodeStateCell(node),
    String(node.running),
    String(node.replicas),
    gpuCount(node),
    slotsText(node.slots),
    node.executors.join(" ") || "-",
    pairs(node.labels) ?? "-",
    node.taints.join(" ") || "-",
    leaseText(node, nowMs),
    node.joinedAt ? formatDuration(Math.max(0, nowMs - timestampMs(node.joinedAt))) : "",
    node.version || "-",
    stateOf(node) === "joined" ? "its agent has not started yet" : node.isCordoned ? node.cordonReason : "",
  ];
}

/** Everything about a node, for people; its GPUs have a table of their own. */
export function nodeFacts(node: Node, nowMs: number): [string, Cell | string][] {
  // One whose login was revoked counts as lost from the end of its lease.
  const isLost = node.lostAt !== undefined && timestampMs(node.lostAt) <= nowMs && stateOf(node) === "lost";
  const facts: [string, Cell | string | undefined][] = [
    ["Node", node.name],
    ["State", nodeStateCell(node)],
    ["Lost", isLost ? moment(node.lostAt, nowMs) : undefined],
    ["Cordoned", node.isCordoned ? node.cordonReason || "yes" : undefined],
    ["Drain", drainText(node, nowMs)],
    ["Running", String(node.running)],
    ["Replicas", String(node.replicas)],
    ["Slots", slotsText(node.slots)],
    ["Executors", node.executors.join(" ") || "-"],
    ["Labels", pairs(node.labels)],
    ["Taints", node.taints.join(", ") || undefined],
    ["Lease", leaseText(node, nowMs)],
    ["Epoch", String(node.epoch)],
    ["Version", node.version || "-"],
    ["Joined", moment(node.joinedAt, nowMs) ?? "-"],
    ...Object.entries(node.facts)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(factRow),
  ];
  return facts.filter((fact): fact is [string, Cell | string] => fact[1] !== undefined);
}

/** Slots by class, such as cpu_long=2 cpu_short=4. */
export function slotsText(slots: Record<string, number>): string {
  const texts = Object.entries(slots).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return texts.map(([name, count]) => `${name}=${count}`).join(" ") || "-";
}

/** What a node takes. */
export function workText({ executors, slots }: Pick<Node, "executors" | "slots">): string {
  if (executors.length === 0) return "runs no task and no service: it has no container engine, and no --process";
  return `runs ${executors.join(" and ")} tasks, slots ${slotsText(slots)}`;
}

/** Whether nothing is left on a node. */
export function isEmpty({ running, replicas }: Node): boolean {
  return running === 0 && replicas === 0;
}

/** What is left on a node: "2 tasks and 1 replica". */
export function leftText({ running, replicas }: Node): string {
  const count = (number: number, word: string) => (number === 0 ? [] : [`${number} ${word}${number === 1 ? "" : "s"}`]);
  return [...count(running, "task"), ...count(replicas, "replica")].join(" and ") || "nothing";
}

export const drainColumns: Column[] = [
  { heading: "LEAVES" },
  { heading: "NAME" },
  { heading: "TO", isFlexible: true },
  { heading: "EXPECTED", align: "right" },
];

/** What leaves a node, as a row. */
export function drainRow({ kind, name, to, expectedSeconds, rejections }: DrainItem): (Cell | string)[] {
  const nowhere = rejections[0] === undefined ? "no node has room" : `nowhere: ${rejections[0].message}`;
  const place: Cell | string = kind === "task" ? "its queue" : to || { text: nowhere, color: "red" };
  return [kind, name, place, formatDuration(expectedSeconds * 1000)];
}

export const tokenColumns: Column[] = [
  { heading: "ID", align: "right" },
  { heading: "FOR" },
  { heading: "STATE" },
  { heading: "EXPIRES" },
  { heading: "BY" },
];

/** A join token as a row. */
export function tokenRow(token: JoinToken, nowMs: number): (Cell | string)[] {
  return [
    String(token.id),
    token.nodeName || "any node",
    tokenState(token, nowMs),
    moment(token.expiresAt, nowMs) ?? "",
    token.actor,
  ];
}

/** A join token for programs. */
export function tokenJson(token: JoinToken, nowMs: number): Record<string, unknown> {
  return {
    id: token.id,
    nodeName: token.nodeName || null,
    state: tokenState(token, nowMs).split(" ")[0],
    createdAt: timeText(token.createdAt),
    expiresAt: timeText(token.expiresAt),
    usedAt: timeText(token.usedAt),
    usedBy: token.usedBy || null,
    revokedAt: timeText(token.revokedAt),
    actor: token.actor,
  };
}

function tokenState({ usedAt, usedBy, revokedAt, expiresAt }: JoinToken, nowMs: number): string {
  if (usedAt !== undefined) return usedBy === "" ? "used" : `used by ${usedBy}`;
  if (revokedAt !== undefined) return "revoked";
  return expiresAt !== undefined && timestampMs(expiresAt) <= nowMs ? "expired" : "open";
}

function nodeStateCell(node: Node): Cell {
  const word = stateOf(node);
  if (word === "joined") return { text: word, color: "dim" };
  if (node.drainDeadlineAt !== undefined && word !== "lost" && isEmpty(node))
    return { text: "drained", color: "green" };
  const color = stateColor(node.isCordoned && word === "ready" ? "draining" : word);
  return { text: node.isCordoned && word === "ready" ? "cordoned" : word, ...(color && { color }) };
}

/** One that has joined and told nothing of itself yet was never there to be lost. */
function stateOf({ state, version }: Node): string {
  const word = nodeStateWord(state);
  return word === "lost" && version === "" ? "joined" : word;
}

/** Those that are there, and how many it does not find any more. */
function gpuCount({ gpus }: Node): string {
  const gone = gpus.filter(({ state }) => state === GpuState.GONE).length;
  if (gpus.length === 0) return "-";
  return gone === 0 ? String(gpus.length) : `${gpus.length - gone} (${gone} gone)`;
}

function drainText(node: Node, nowMs: number): string | undefined {
  if (node.drainDeadlineAt === undefined) return undefined;
  if (isEmpty(node)) return "done: the node is empty";
  return `until ${moment(node.drainDeadlineAt, nowMs)}, ${leftText(node)} left`;
}

function leaseText({ leaseExpiresAt }: Node, nowMs: number): string {
  if (leaseExpiresAt === undefined) return "-";
  const leftMs = timestampMs(leaseExpiresAt) - nowMs;
  return leftMs > 0 ? `${formatDuration(leftMs)} left` : `ended ${formatDuration(-leftMs)} ago`;
}

function timeText(at: Timestamp | undefined): string | null {
  return at === undefined ? null : new Date(timestampMs(at)).toISOString();
}
