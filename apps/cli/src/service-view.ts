import type { Environment, Replica, ReplicaPort, Service, ServiceUsage } from "@drover/proto/drover/environment";
import { took } from "./fact.ts";
import type { Output } from "./output.ts";
import { formatSize } from "./size.ts";
import type { Cell, Color, Column } from "./table.ts";
import { printable } from "./text-width.ts";
import { replicaStateWord } from "./word.ts";

/** A replica of a service; or a service that has none now. */
export interface ServiceLine {
  service: Service;
  replica: Replica | undefined;
}

/** What stands in the table beside what always does. */
export interface ServiceTableOptions {
  nowMs: number;
  hasImages?: boolean;
  /** Measured now, by service and number. */
  usage?: readonly ServiceUsage[];
}

/** The replicas of services, in the order of the services. */
export function serviceLines(services: readonly Service[]): ServiceLine[] {
  return services.flatMap((service): ServiceLine[] => {
    const replicas = service.instances.toSorted((a, b) => a.number - b.number);
    return replicas.length === 0
      ? [{ service, replica: undefined }]
      : replicas.map((replica) => ({ service, replica }));
  });
}

/** Replicas as the lines of a table. */
export function serviceTable(output: Output, lines: readonly ServiceLine[], options: ServiceTableOptions): string[] {
  const hasGpus = lines.some(({ replica }) => (replica?.gpuUuids.length ?? 0) > 0);
  const { usage } = options;
  const columns: Column[] = [
    { heading: "SERVICE" },
    { heading: "STATE" },
    { heading: "NODE" },
    { heading: "PORTS", isFlexible: true },
    { heading: "UP", align: "right" },
    { heading: "RESTARTS", align: "right" },
    ...(usage ? usageColumns : []),
    ...(hasGpus ? [{ heading: "GPUS", align: "right" } as const] : []),
    ...(options.hasImages === true ? [{ heading: "IMAGE", isFlexible: true }] : []),
    { heading: "NOTE", isFlexible: true },
  ];
  const rows = lines.map((line) => {
    const { service, replica } = line;
    return [
      replicaName(line),
      stateCell(line),
      replica?.node || "-",
      replica?.ports.map(portText).join(", ") || "-",
      upText(replica, options.nowMs),
      replica === undefined ? "" : String(replica.restarts),
      ...(usage ? usageCells(usage.find((one) => isOf(one, line))) : []),
      ...(hasGpus ? [String(replica?.gpuUuids.length ?? 0)] : []),
      ...(options.hasImages === true ? [service.image] : []),
      noteOf(line),
    ];
  });
  return output.tableLines(columns, rows);
}

/** The notes that a terminal is too narrow for, as they are. */
export function cutNotes(table: readonly string[], lines: readonly ServiceLine[]): string[] {
  const cut = lines.filter((line, index) => noteOf(line) !== "" && table[index + 1]?.endsWith("…") === true);
  return cut.length === 0 ? [] : ["", ...cut.map((line) => `${replicaName(line)}: ${printable(noteOf(line))}`)];
}

/** `redis`, or `worker/2` where there are several, with what is not required told. */
export function replicaName({ service, replica }: ServiceLine): string {
  const number = replica !== undefined && isMany(service) ? `/${replica.number}` : "";
  // What is not declared any more, and on its way out, has no image.
  const isOptional = !service.required && service.image !== "";
  return `${service.name}${number}${isOptional ? " (optional)" : ""}`;
}

/** A state in its colour, with how far a start is. */
export function stateCell({ service, replica }: ServiceLine): Cell {
  const word = lineWord({ service, replica });
  const color = serviceColors[word];
  const progress = replica?.progress ?? 0;
  const isUnderWay = word === "starting" && progress > 0 && progress < 100;
  return { text: isUnderWay ? `${word} ${progress}%` : word, ...(color && { color }) };
}

/** The word for what is shown in a line. */
export function lineWord({ service, replica }: ServiceLine): string {
  return replicaStateWord((replica ?? service).state);
}

/** What there is to say about a replica; of one that runs, that it is not as declared. */
export function noteOf({ service, replica }: ServiceLine): string {
  if (replica === undefined) return service.message;
  return replica.rejections.length > 0 ? unplacedText(replica) : replica.message;
}

/** Why a replica is on no node, by the first that was asked. */
export function unplacedText({ rejections }: Replica): string {
  const [first] = rejections;
  if (first === undefined) return "";
  const others = rejections.length - 1;
  const more = others === 0 ? "" : `; ${others} more ${others === 1 ? "node" : "nodes"} neither.`;
  return `No node can run it: ${first.node}: ${more === "" ? first.message : first.message.replace(/\.$/, "")}${more}`;
}

/** Why replicas are on no node, node by node; empty where all are on one. */
export function rejectionLines({ services }: Pick<Environment, "services">, output: Output): string[] {
  return serviceLines(services).flatMap((line) => {
    const rejections = line.replica?.rejections ?? [];
    if (rejections.length === 0) return [];
    const rows = rejections.map(({ node, code, message }) => [node, code, message]);
    return ["", `No node can run ${replicaName(line)}:`, ...indented(output.tableLines(rejectionColumns, rows))];
  });
}

export const rejectionColumns: Column[] = [
  { heading: "NODE" },
  { heading: "REASON" },
  { heading: "MORE", isFlexible: true },
];

/** What changes its colour only with what it means. */
export const serviceColors: Readonly<Record<string, Color>> = {
  running: "green",
  starting: "blue",
  unhealthy: "red",
  failed: "red",
  stopping: "yellow",
  unknown: "yellow",
  pending: "yellow",
  stopped: "dim",
};

/** What is to be seen first where there is not room for all. */
export const serviceRanks: Readonly<Record<string, number>> = {
  failed: 0,
  unhealthy: 0,
  unknown: 1,
  starting: 2,
  stopping: 2,
  pending: 3,
  running: 4,
  stopped: 5,
};

/** Whether its replicas are told apart by their numbers. */
export function isMany({ replicas, instances }: Service): boolean {
  return replicas > 1 || instances.length > 1;
}

/** An address that can be used as it stands; the protocol only where it is not TCP. */
function portText({ hostIp, hostPort, containerPort, protocol }: ReplicaPort): string {
  const kind = protocol === "" || protocol === "tcp" ? "" : `/${protocol}`;
  if (hostPort === 0) return `${containerPort}${kind}`;
  const host = hostIp.includes(":") ? `[${hostIp}]` : hostIp;
  return `${host === "" ? "" : `${host}:`}${hostPort}->${containerPort}${kind}`;
}

function upText(replica: Replica | undefined, nowMs: number): string {
  const isUp = replica !== undefined && ["running", "unhealthy"].includes(replicaStateWord(replica.state));
  return isUp ? took(replica.startedAt, undefined, nowMs) : "";
}

const usageColumns: Column[] = [
  { heading: "CPU", align: "right" },
  { heading: "MEMORY", align: "right" },
  { heading: "RECEIVED", align: "right" },
  { heading: "SENT", align: "right" },
];

function usageCells(usage: ServiceUsage | undefined): string[] {
  if (usage === undefined) return ["-", "-", "-", "-"];
  const { cpuPercent, memoryBytes, networkRxBytes, networkTxBytes } = usage;
  return [
    `${cpuPercent.toFixed(cpuPercent < 10 ? 1 : 0)} %`,
    ...[memoryBytes, networkRxBytes, networkTxBytes].map((bytes) => formatSize(Number(bytes))),
  ];
}

function isOf(usage: ServiceUsage, { service, replica }: ServiceLine): boolean {
  return usage.service === service.name && usage.replica === replica?.number;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
