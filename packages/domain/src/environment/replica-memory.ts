import { countFailure, type Tries } from "./backoff.ts";
import type { DriftPolicy, HealthCheck, RestartPolicy } from "./declaration.ts";
import type { ReplicaState } from "./replica.ts";

/** A replica as it should be; the parts that decide what happens to its container. */
export interface DesiredReplica {
  id: string;
  namespace: string;
  environment: string;
  service: string;
  number: number;
  specHash: string;
  round: number;
  wanted: "running" | "stopped" | "gone";
  spec: {
    service: {
      image: string;
      dependsOn: readonly string[];
      health?: HealthCheck;
      restart: RestartPolicy;
      drift?: DriftPolicy;
    };
  };
  gpus: readonly { uuid: string }[] | null;
  /** Services on other nodes that it depends on and that are not up. */
  unmet: readonly string[] | null;
  /** Services that it depends on and that are up on another node. */
  met?: readonly string[] | null;
}

/** Something about a container that is not as it was made. */
export interface Drift {
  field: string;
  wanted: string;
  found: string;
}

/** A replica's container as the engine tells of it. */
export interface FoundContainer {
  id: string;
  replicaId: string;
  specHash: string;
  round: number;
  /** UUIDs, in the order of its label. */
  gpus: readonly string[];
  /** new: created, never started. dead: the engine could not remove it. unknown: no clear answer. */
  state: "new" | "running" | "stopped" | "dead" | "unknown";
  /** As the engine writes it: with the id it names one run of the container. */
  startedAt?: string;
  exitCode?: number;
  isOutOfMemory?: boolean;
  /** Why it has to be made anew, as a clause, whatever else. */
  fault?: string;
  drift: readonly Drift[];
}

/** What its probes said of a run; absent: none has ended yet. */
export interface Health {
  /** Of the last probe. */
  isHealthy: boolean;
  /** Whether one succeeded in this run. */
  hasBeenHealthy: boolean;
  failuresInRow: number;
  message: string;
}

/** What is remembered of a replica from one look to the next; lost with the process, which then is patient anew. */
export interface ReplicaMemory {
  /** The spec and round that this is about. */
  about: string;
  /** Runs that ended or never got healthy, and starts that came to no run: what the policy bounds. */
  tries: Tries;
  /** Pulls that failed: they are tried for as long as the replica is wanted. */
  setup: Tries;
  restarts: number;
  /** The run that is watched: since when, and since when it is healthy. */
  run?: { key: string; sinceMs: number; healthySinceMs?: number };
  /** The run whose failure is counted already. */
  countedRun?: string;
  countedAtMs?: number;
  /** Why it is not up, as a sentence. */
  trouble?: string;
  /** The engine has its image. */
  hasImage: boolean;
}

/** The next thing to do for a replica, if anything. */
export type ReplicaAction =
  | { kind: "fetch" }
  | { kind: "create" }
  | { kind: "start"; containerId: string }
  | { kind: "stop"; containerId: string }
  | { kind: "remove"; containerId: string };

export interface ReplicaStatus {
  state: Exclude<ReplicaState, "pending"> | "gone";
  isHealthy?: boolean;
  message: string;
  healthySinceMs?: number;
  restarts: number;
}

/** Takes into account that something was done for the replica. */
export function noteSuccess(memory: ReplicaMemory, action: ReplicaAction): ReplicaMemory {
  if (action.kind === "fetch") return { ...memory, hasImage: true };
  const isRestart = action.kind === "start" && (memory.countedRun !== undefined || memory.tries.failures > 0);
  return isRestart ? { ...memory, restarts: memory.restarts + 1 } : memory;
}

/** Takes into account that something which was done for the replica did not succeed. */
export function noteFailure(
  memory: ReplicaMemory,
  action: ReplicaAction,
  policy: RestartPolicy,
  message: string,
  nowMs: number,
): ReplicaMemory {
  const noted = { ...memory, trouble: message, hasImage: false };
  if (action.kind === "fetch") return { ...noted, setup: countFailure(memory.setup, policy, nowMs) };
  const restarts = memory.restarts + Number(memory.tries.failures > 0);
  return { ...noted, restarts, tries: countFailure(memory.tries, policy, nowMs) };
}

/** Names one run of a container. */
export function runKey({ id, startedAt }: Pick<FoundContainer, "id" | "startedAt">): string {
  return `${id} ${startedAt ?? ""}`;
}

/** Whether the container is what the replica asks for. */
export function isCurrent(desired: DesiredReplica, found: FoundContainer): boolean {
  const wantedGpus = (desired.gpus ?? []).map(({ uuid }) => uuid);
  return (
    found.specHash === desired.specHash &&
    found.round === desired.round &&
    found.gpus.toSorted().join() === wantedGpus.toSorted().join()
  );
}
