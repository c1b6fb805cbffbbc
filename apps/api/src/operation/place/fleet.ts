import type { Executor } from "@drover/db/client";
import {
  classAllowances,
  type FleetAllocationRow,
  fleetAllocations,
  fleetGpus,
  type FleetGpuRow,
  fleetLeases,
  type FleetNodeRow,
  fleetNodes,
  fleetReplicas,
  type FleetReplicaRow,
  type FleetTaskRow,
  fleetTasks,
} from "@drover/db/query/fleet";
import { replicaKind } from "@drover/domain/placed-replica";
import { taskKind } from "@drover/domain/placed-task";
import { hostPortText } from "@drover/domain/placement/host-port";
import type { PlacementGpu, PlacementNode } from "@drover/domain/placement/node";

/** All nodes with what they have to give, at one moment. */
export interface Fleet {
  nodes: PlacementNode[];
  /** The same, when all tasks have ended. */
  emptied: PlacementNode[];
  /** How many members of a gang are placed or run, by `gangKey`. */
  gangs: ReadonlyMap<string, number>;
  /** The node that replicas of an environment are on, where one of them is alive; a leaving one does not count. */
  homes: ReadonlyMap<number, number>;
  /** Of classes with a limit: how many of their tasks may be placed. */
  allowances: Map<number, number>;
}

/** What the database tells of the fleet. */
export interface FleetRows {
  nodes: FleetNodeRow[];
  gpus: FleetGpuRow[];
  allocations: FleetAllocationRow[];
  tasks: FleetTaskRow[];
  leases: { holder_id: number; class: string; count: number }[];
  replicas: FleetReplicaRow[];
  allowances: { class_id: number; allowed: number }[];
}

/** Reads the fleet. Only the placer itself adds to what is taken, so what is read stays true but for what ends. */
export async function readFleet(db: Executor): Promise<FleetRows> {
  return {
    nodes: await fleetNodes(db),
    gpus: await fleetGpus(db),
    allocations: await fleetAllocations(db),
    tasks: await fleetTasks(db),
    leases: await fleetLeases(db),
    replicas: await fleetReplicas(db),
    allowances: await classAllowances(db),
  };
}

/** The fleet as placement sees it; `except`: the ids of replicas that are about to move or go, and take nothing of it. */
export function drawFleet(rows: FleetRows, except: ReadonlySet<string> = new Set()): Fleet {
  const uses = new Map<number, Use>(rows.nodes.map(({ id }) => [id, newUse()]));
  const gangs = new Map<string, number>();
  for (const { holder_id, namespace_id, class: className, is_claimed, count, execution } of rows.tasks) {
    const { resources, gang, image } = execution;
    if (gang) add(gangs, gangKey(namespace_id, gang.name), count);
    const use = uses.get(holder_id);
    if (use === undefined) continue;
    use.tasks.cpu += count * (resources?.cpuMillicores ?? 0);
    use.tasks.memory += count * (resources?.memoryBytes ?? 0);
    if (!is_claimed) add(use.slots, className, count);
    add(use.kinds, taskKind({ ...(gang && { gang }), ...(image && { image }) }, className), count);
  }
  for (const { holder_id, class: className, count } of rows.leases) {
    const use = uses.get(holder_id);
    if (use !== undefined) add(use.slots, className, count);
  }
  const replicas = rows.replicas.filter(({ id }) => !except.has(id));
  for (const row of replicas) addReplica(uses.get(row.holder_id), row);
  const gpus = Map.groupBy(rows.gpus, ({ holder_id }) => holder_id);
  const allocations = Map.groupBy(
    rows.allocations.filter(({ replica_id }) => replica_id === null || !except.has(replica_id)),
    ({ gpu_id }) => gpu_id,
  );
  const pictures = rows.nodes.map((row) =>
    picturesOf(row, uses.get(row.id) ?? newUse(), gpus.get(row.id) ?? [], allocations),
  );
  return {
    nodes: pictures.map(({ now }) => now),
    emptied: pictures.map(({ emptied }) => emptied),
    gangs,
    homes: homesOf(rows.nodes, replicas),
    allowances: new Map(rows.allowances.map(({ class_id, allowed }) => [class_id, allowed])),
  };
}

/** Gangs have names within their namespace. */
export function gangKey(namespaceId: number, name: string): string {
  return `${namespaceId} ${name}`;
}

/** What of a node is given away. */
interface Use {
  tasks: { cpu: number; memory: number };
  replicas: { cpu: number; memory: number };
  slots: Map<string, number>;
  kinds: Map<string, number>;
  replicaKinds: Map<string, number>;
  hostPorts: Map<string, string>;
}

function newUse(): Use {
  return {
    tasks: { cpu: 0, memory: 0 },
    replicas: { cpu: 0, memory: 0 },
    slots: new Map(),
    kinds: new Map(),
    replicaKinds: new Map(),
    hostPorts: new Map(),
  };
}

function add<Key>(counts: Map<Key, number>, key: Key, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function addReplica(use: Use | undefined, { name, resources, ports, service_id, wanted }: FleetReplicaRow): void {
  if (use === undefined) return;
  use.replicas.cpu += resources.cpuMillicores ?? 0;
  use.replicas.memory += resources.memoryBytes ?? 0;
  if (wanted !== "gone") add(use.replicaKinds, replicaKind(service_id), 1);
  for (const port of ports) {
    const text = hostPortText(port);
    if (text !== undefined) use.hostPorts.set(text, name);
  }
}

type Allocations = ReadonlyMap<number, readonly FleetAllocationRow[]>;

function picturesOf(row: FleetNodeRow, use: Use, gpuRows: readonly FleetGpuRow[], allocations: Allocations) {
  const node = {
    id: row.id,
    name: row.name,
    state: row.state,
    isCordoned: row.is_cordoned,
    labels: row.labels,
    taints: row.taints,
    executors: row.executors,
    cpuMillicores: Math.round(Number(row.cpu_cores ?? 0) * 1000),
    memoryBytes: Number(row.memory_bytes ?? 0),
    images: new Set(row.images),
    models: new Set(row.models),
    hostPorts: use.hostPorts,
  };
  const slots = Object.entries(row.slots).map(([name, count]) => [name, count - (use.slots.get(name) ?? 0)] as const);
  const now: PlacementNode = {
    ...node,
    slots: Object.fromEntries(slots),
    cpuUsed: use.tasks.cpu + use.replicas.cpu,
    memoryUsed: use.tasks.memory + use.replicas.memory,
    gpus: gpuRows.map((gpu) => gpuOf(gpu, allocations.get(gpu.id) ?? [])),
    kinds: new Map([...use.kinds, ...use.replicaKinds]),
  };
  const emptied: PlacementNode = {
    ...node,
    slots: row.slots,
    cpuUsed: use.replicas.cpu,
    memoryUsed: use.replicas.memory,
    gpus: gpuRows.map((gpu) =>
      gpuOf(
        gpu,
        (allocations.get(gpu.id) ?? []).filter(({ replica_id }) => replica_id !== null),
      ),
    ),
    kinds: use.replicaKinds,
  };
  return { now, emptied };
}

function gpuOf(row: FleetGpuRow, taken: readonly FleetAllocationRow[]): PlacementGpu {
  return {
    id: row.id,
    uuid: row.uuid,
    kind: row.kind,
    model: row.model,
    memoryMib: row.memory_mib,
    ...(row.profile !== null && { profile: row.profile }),
    slotCount: row.slot_count,
    takenSlots: taken.map(({ slot }) => slot),
    takenMib: taken.reduce((sum, { memory_mib }) => sum + (memory_mib ?? 0), 0),
    isUsable: row.state === "ready",
    ...(row.evidence !== null && { evidence: row.evidence }),
  };
}

/** Also a node that is away for now is a home, until its replicas are moved. */
function homesOf(nodes: readonly FleetNodeRow[], replicas: readonly FleetReplicaRow[]): Map<number, number> {
  const ready = new Set(nodes.filter(({ state }) => state === "ready").map(({ id }) => id));
  const homes = new Map<number, number>();
  for (const { environment_id, holder_id, is_leaving, wanted } of replicas) {
    if (is_leaving || wanted === "gone") continue;
    if (!homes.has(environment_id) || ready.has(holder_id)) homes.set(environment_id, holder_id);
  }
  return homes;
}
