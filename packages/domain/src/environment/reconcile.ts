import type { DriftPolicy } from "./declaration.ts";
import { findCycle } from "./dependency.ts";
import {
  type DesiredReplica,
  type FoundContainer,
  type Health,
  isCurrent,
  type ReplicaAction,
  type ReplicaMemory,
  type ReplicaStatus,
  runKey,
} from "./replica-memory.ts";
import { stepReplica } from "./replica-step.ts";

export interface ReconcileInput {
  /** Everything that the node is to keep. */
  desired: readonly DesiredReplica[];
  /** Every container of a replica that the engine has, by a list that succeeded. */
  found: readonly FoundContainer[];
  memories: ReadonlyMap<string, ReplicaMemory>;
  /** By run. */
  health: ReadonlyMap<string, Health>;
  /** Replicas, and containers that no replica asks for, for which something is being done: nothing else is done meanwhile. */
  busy: ReadonlySet<string>;
  /** How many containers may be created or started now. */
  freeStarts: number;
  /** Containers that were not as asked for when they were made: making them anew would not mend that. */
  unmendable: ReadonlySet<string>;
  /** For services that do not say themselves what becomes of changes by hand. */
  drift: DriftPolicy;
  /** Since when the engine was away, where it was since the last look. */
  engineAwaySinceMs?: number;
  /** Monotonic. */
  nowMs: number;
}

export interface ReplicaStep {
  desired: DesiredReplica;
  found: FoundContainer | undefined;
  memory: ReplicaMemory;
  action?: ReplicaAction;
  status?: ReplicaStatus;
}

export interface Reconciliation {
  steps: ReplicaStep[];
  /** What becomes of containers that nobody asks for. */
  strays: ReplicaAction[];
  /** When to look again at the latest. */
  wakeAtMs: number;
}

/**
 * Compares everything that should be with everything that is, and says what to do next: at most one thing for a
 * replica. It needs no memory of what it said before: doing nothing of it, or only a part, leads to the same answer.
 */
export function reconcile(input: ReconcileInput): Reconciliation {
  const { desired, memories, health, busy, nowMs } = input;
  const { chosen, strays } = assign(desired, input.found);
  const peers = peersOf(desired);
  let { freeStarts } = input;
  let wakeAtMs = Number.POSITIVE_INFINITY;
  const steps = desired.map((one): ReplicaStep => {
    const found = chosen.get(one.id);
    const step = stepReplica({
      desired: one,
      found,
      memory: memories.get(one.id),
      health: found && health.get(runKey(found)),
      waitsFor: waitsFor(one, peers, (peer) => isUp(peer, chosen.get(peer.id), health)),
      isNameTaken: peersIn(peers, one).some(
        (peer) =>
          peer.id !== one.id &&
          peer.service === one.service &&
          peer.number === one.number &&
          chosen.get(peer.id) !== undefined,
      ),
      stopsAfter: stopsAfter(one, peers, (peer) => chosen.get(peer.id)?.state === "running"),
      ...(input.engineAwaySinceMs !== undefined && { engineAwaySinceMs: input.engineAwaySinceMs }),
      isDriftMended:
        (one.spec.service.drift ?? input.drift) === "converge" && !(found && input.unmendable.has(found.id)),
      nowMs,
    });
    wakeAtMs = Math.min(wakeAtMs, step.wakeAtMs ?? Number.POSITIVE_INFINITY);
    const isStart = step.action?.kind === "create" || step.action?.kind === "start";
    const isDone = step.action !== undefined && !busy.has(one.id) && !(isStart && freeStarts <= 0);
    if (isDone && isStart) freeStarts -= 1;
    return {
      desired: one,
      found,
      memory: step.memory,
      ...(isDone && step.action && { action: step.action }),
      ...(step.status && { status: step.status }),
    };
  });
  return { steps, strays: strays.filter((action) => !busy.has(idOf(action))), wakeAtMs };
}

/** Gives each replica the container that fits it best; what is left over nobody asks for. */
function assign(
  desired: readonly DesiredReplica[],
  found: readonly FoundContainer[],
): { chosen: Map<string, FoundContainer>; strays: ReplicaAction[] } {
  const byId = new Map(desired.map((one) => [one.id, one]));
  const chosen = new Map<string, FoundContainer>();
  const left: FoundContainer[] = [];
  for (const container of found) {
    const one = byId.get(container.replicaId);
    const rival = chosen.get(container.replicaId);
    if (one === undefined || (rival !== undefined && rank(one, rival) >= rank(one, container))) {
      left.push(container);
      continue;
    }
    if (rival !== undefined) left.push(rival);
    chosen.set(container.replicaId, container);
  }
  return { chosen, strays: left.flatMap(leaveStray) };
}

function leaveStray({ id, state }: FoundContainer): ReplicaAction[] {
  if (state === "unknown") return [];
  return [{ kind: state === "running" ? "stop" : "remove", containerId: id }];
}

function rank(desired: DesiredReplica, found: FoundContainer): number {
  return (isCurrent(desired, found) ? 2 : 0) + (found.state === "running" ? 1 : 0);
}

type Peers = ReadonlyMap<string, { replicas: DesiredReplica[]; isOrdered: boolean }>;

/** The replicas of each environment; services that wait for each other in a circle have no order. */
function peersOf(desired: readonly DesiredReplica[]): Peers {
  const groups = Map.groupBy(desired, environmentOf);
  return new Map(
    [...groups].map(([key, replicas]) => {
      const dependents = replicas.map(({ service, spec }) => ({ name: service, dependsOn: spec.service.dependsOn }));
      return [key, { replicas, isOrdered: findCycle(dependents) === undefined }];
    }),
  );
}

function peersIn(peers: Peers, one: DesiredReplica): readonly DesiredReplica[] {
  return peers.get(environmentOf(one))?.replicas ?? [];
}

function waitsFor(one: DesiredReplica, peers: Peers, isPeerUp: (peer: DesiredReplica) => boolean): string[] {
  const { replicas = [], isOrdered = true } = peers.get(environmentOf(one)) ?? {};
  const local = isOrdered
    ? one.spec.service.dependsOn.filter((name) => {
        const here = replicas.filter(({ service, wanted }) => service === name && wanted !== "gone");
        return here.length > 0 && !here.some(isPeerUp) && one.met?.includes(name) !== true;
      })
    : [];
  return [...new Set([...local, ...(one.unmet ?? [])])];
}

function stopsAfter(one: DesiredReplica, peers: Peers, isPeerRunning: (peer: DesiredReplica) => boolean): string[] {
  const { replicas = [], isOrdered = false } = peers.get(environmentOf(one)) ?? {};
  if (one.wanted === "running" || !isOrdered) return [];
  const dependents = replicas.filter(
    (peer) => peer.wanted !== "running" && peer.spec.service.dependsOn.includes(one.service) && isPeerRunning(peer),
  );
  return [...new Set(dependents.map(({ service }) => service))];
}

function isUp(one: DesiredReplica, found: FoundContainer | undefined, health: ReadonlyMap<string, Health>): boolean {
  if (one.wanted !== "running" || found?.state !== "running" || !isCurrent(one, found)) return false;
  return one.spec.service.health === undefined || health.get(runKey(found))?.isHealthy === true;
}

function environmentOf({ namespace, environment }: DesiredReplica): string {
  return `${namespace} ${environment}`;
}

function idOf(action: ReplicaAction): string {
  return "containerId" in action ? action.containerId : "";
}
