import { countFailure, forgive, isGivenUp, noTries, restartDelayMs, type Tries } from "./backoff.ts";
import type { HealthCheck, RestartPolicy } from "./declaration.ts";
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
  spec: { service: { image: string; dependsOn: readonly string[]; health?: HealthCheck; restart: RestartPolicy } };
  gpus: readonly { uuid: string }[] | null;
  /** Services on other nodes that it depends on and that are not up. */
  unmet: readonly string[] | null;
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
  /** Runs that ended or never got healthy. */
  tries: Tries;
  /** What failed before a run began: the pull, the creation, the start. */
  setup: Tries;
  restarts: number;
  /** The run that is watched: since when, and since when it is healthy. */
  run?: { key: string; sinceMs: number; healthySinceMs?: number };
  /** The run whose failure is counted already. */
  countedRun?: string;
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

export interface StepInput {
  desired: DesiredReplica;
  /** Undefined: there is none, as a list that succeeded tells. */
  found: FoundContainer | undefined;
  memory: ReplicaMemory | undefined;
  health: Health | undefined;
  /** Names of services that have to be up first. */
  waitsFor: readonly string[];
  /** Services that have to be stopped first. */
  stopsAfter: readonly string[];
  /** The engine was away since the last look: what ended meanwhile ended with it. */
  wasEngineAway: boolean;
  /** Whether a container that was changed by hand is replaced; otherwise it is only told. */
  isDriftMended: boolean;
  /** Monotonic. */
  nowMs: number;
}

export interface Step {
  memory: ReplicaMemory;
  action?: ReplicaAction;
  /** Undefined: nothing new is known. */
  status?: ReplicaStatus;
  /** When to look again at the latest. */
  wakeAtMs?: number;
}

/**
 * Decides one step for one replica. Each step leads to a state from which the next is decided anew:
 *
 *   none --create--> running --stop--> stopped --start--> running
 *                                      stopped --remove--> none
 *
 * A container of another spec or round goes the way over none, once the new image is there and what it depends on is
 * up. On unknown nothing is done.
 */
export function stepReplica(input: StepInput): Step {
  const { desired, found } = input;
  const about = `${desired.specHash} ${desired.round} ${desired.wanted}`;
  const memory =
    input.memory?.about === about
      ? input.memory
      : {
          about,
          tries: noTries,
          setup: noTries,
          restarts: 0,
          hasImage: false,
          ...(input.memory?.run && { run: input.memory.run }),
        };
  if (found?.state === "unknown") return { memory };
  if (desired.wanted !== "running") return leave(input, memory);
  if (found === undefined) return bringUp(input, memory, { kind: "create" });
  if (found.state === "dead") return { memory, action: remove(found), status: status(memory, "starting", "") };
  const why = whyReplaced(input, found);
  if (why !== undefined) return bringUp(input, memory, found.state === "running" ? stop(found) : remove(found), why);
  switch (found.state) {
    case "new":
      return bringUp(input, memory, { kind: "start", containerId: found.id });
    case "running":
      return watch(input, memory, found, found.drift);
    case "stopped":
      return takeEnd(input, memory, found);
  }
}

/** Takes into account that something which was done for the replica did not succeed. */
export function noteFailure(
  memory: ReplicaMemory,
  policy: RestartPolicy,
  message: string,
  nowMs: number,
): ReplicaMemory {
  return { ...memory, setup: countFailure(memory.setup, policy, nowMs), trouble: message, hasImage: false };
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

function leave({ desired, found, stopsAfter }: StepInput, memory: ReplicaMemory): Step {
  if (found?.state === "running") {
    if (stopsAfter.length === 0) return { memory, action: stop(found), status: status(memory, "stopping", "") };
    const message = `Waits until ${listed(stopsAfter)}, which depends on it, has stopped.`;
    return { memory, status: status(memory, "stopping", message) };
  }
  if (desired.wanted === "stopped") return { memory, status: status(memory, "stopped", "") };
  if (found === undefined) return { memory, status: status(memory, "gone", "") };
  return { memory, action: remove(found), status: status(memory, "stopping", "") };
}

/** What stands before each start: the wait after failures, the image, and what it depends on. */
function bringUp(
  { desired, waitsFor, nowMs }: StepInput,
  memory: ReplicaMemory,
  action: ReplicaAction,
  why = "",
): Step {
  const { tries, setup, trouble, hasImage } = memory;
  const last = setup.nextAtMs > tries.nextAtMs ? setup : tries;
  if (nowMs < last.nextAtMs) {
    // Not the time that is left: it would change with each look, and be told each time.
    const waitSeconds = restartDelayMs(last.failures, desired.spec.service.restart) / 1000;
    const message = `${trouble ?? ""} Tried again ${waitSeconds} s after that.`.trim();
    return { memory, status: status(memory, "failed", message), wakeAtMs: last.nextAtMs };
  }
  const state = trouble === undefined ? "starting" : "failed";
  if (!hasImage) return { memory, action: { kind: "fetch" }, status: status(memory, state, trouble ?? why) };
  if (waitsFor.length > 0) {
    return { memory, status: status(memory, "starting", `Waits for ${listed(waitsFor)}, which it depends on.`) };
  }
  return { memory, action, status: status(memory, state, trouble ?? why) };
}

/** Of a container that runs: whether it is healthy, still starting, or has to be restarted. */
function watch(input: StepInput, before: ReplicaMemory, found: FoundContainer, drift: readonly Drift[]): Step {
  const { desired, health, nowMs } = input;
  const { health: check, restart } = desired.spec.service;
  const key = runKey(found);
  const known = before.run?.key === key ? before.run : { key, sinceMs: nowMs };
  const isHealthy = check === undefined || health?.isHealthy === true;
  const isSteady = isHealthy || (health?.hasBeenHealthy === true && health.failuresInRow < check.retries);
  if (isSteady) {
    const healthySinceMs = known.healthySinceMs ?? nowMs;
    const { trouble: _, ...rest } = before;
    const tries = forgive(before.tries, nowMs - healthySinceMs);
    // A run that recovered may fail, and be counted, again.
    const memory = { ...rest, tries, setup: noTries, run: { ...known, healthySinceMs } };
    if (isHealthy && memory.countedRun === key) delete memory.countedRun;
    const changed = drift.length > 0 ? `Changed by hand: ${listed(drift.map(({ field }) => field))}.` : "";
    return {
      memory,
      status: {
        ...status(memory, "running", isHealthy ? changed : (health?.message ?? "")),
        ...(check !== undefined && { isHealthy }),
        healthySinceMs,
      },
    };
  }
  const { healthySinceMs: _, ...run } = known;
  const memory: ReplicaMemory = { ...before, run };
  const isStarting = health?.hasBeenHealthy !== true;
  const deadlineMs = known.sinceMs + check.startSeconds * 1000;
  const said = health?.message ?? "";
  if (isStarting && nowMs < deadlineMs) {
    return { memory, status: { ...status(memory, "starting", said), isHealthy: false }, wakeAtMs: deadlineMs };
  }
  const trouble = isStarting
    ? `Not healthy within ${check.startSeconds} s of its start: ${said}`
    : `${health.failuresInRow} probes in a row failed: ${said}`;
  const counted =
    memory.countedRun === key
      ? memory
      : { ...memory, countedRun: key, trouble, tries: countFailure(memory.tries, restart, nowMs) };
  const state = isStarting ? "failed" : "unhealthy";
  if (restart.when === "never")
    return { memory: counted, status: { ...status(counted, state, trouble), isHealthy: false } };
  // One that was healthy may recover until its restart is due; one that never was only holds resources.
  const isDue = isStarting || isGivenUp(counted.tries, restart) || nowMs >= counted.tries.nextAtMs;
  return {
    memory: counted,
    ...(isDue ? { action: stop(found) } : { wakeAtMs: counted.tries.nextAtMs }),
    status: { ...status(counted, state, trouble), isHealthy: false },
  };
}

/** Of a container that ended: whether and when it is started again. */
function takeEnd(input: StepInput, before: ReplicaMemory, found: FoundContainer): Step {
  const { desired, nowMs, wasEngineAway } = input;
  const { restart } = desired.spec.service;
  const key = runKey(found);
  const start: ReplicaAction = { kind: "start", containerId: found.id };
  const isWatched = before.run?.key === key;
  let memory = before;
  if (wasEngineAway && isWatched && before.countedRun !== key) {
    // It ended with its engine, which is no failure of its own.
    memory = {
      ...before,
      countedRun: key,
      trouble: "The container engine was away.",
      tries: { ...before.tries, nextAtMs: nowMs },
    };
  } else if (before.countedRun !== key) {
    const healthyMs = isWatched && before.run?.healthySinceMs !== undefined ? nowMs - before.run.healthySinceMs : 0;
    const tries = countFailure(forgive(before.tries, healthyMs), restart, nowMs);
    memory = { ...before, countedRun: key, tries, trouble: endMessage(found) };
    const hasFailed = found.exitCode !== 0;
    if (restart.when === "never" || (restart.when === "on-failure" && !hasFailed)) {
      // Remembered as counted at the far end of time, so that no later look starts it.
      memory = { ...memory, tries: { ...tries, nextAtMs: Number.POSITIVE_INFINITY } };
    }
  }
  if (memory.tries.nextAtMs === Number.POSITIVE_INFINITY) {
    const rests = `${memory.trouble ?? endMessage(found)} Its restart policy lets it rest.`;
    return { memory, status: status(memory, found.exitCode === 0 ? "stopped" : "failed", rests) };
  }
  if (isGivenUp(memory.tries, restart)) {
    const message = `${memory.trouble ?? endMessage(found)} Given up after ${restart.maxRestarts ?? 0} restarts.`;
    return { memory, status: status(memory, "failed", message) };
  }
  return bringUp(input, { ...memory, hasImage: true }, start);
}

function whyReplaced({ desired, isDriftMended }: StepInput, found: FoundContainer): string | undefined {
  if (!isCurrent(desired, found)) {
    return found.specHash === desired.specHash ? "Is made anew." : "Is made anew after a change of its service.";
  }
  if (!isDriftMended || found.drift.length === 0) return undefined;
  return `Is made anew, since it was changed by hand: ${listed(found.drift.map(({ field }) => field))}.`;
}

function endMessage({ exitCode, isOutOfMemory }: FoundContainer): string {
  if (isOutOfMemory === true) return "Ended because its memory was used up.";
  return `Ended with exit code ${exitCode ?? "unknown"}.`;
}

function status({ restarts }: ReplicaMemory, state: ReplicaStatus["state"], message: string): ReplicaStatus {
  return { state, message, restarts };
}

function stop({ id }: FoundContainer): ReplicaAction {
  return { kind: "stop", containerId: id };
}

function remove({ id }: FoundContainer): ReplicaAction {
  return { kind: "remove", containerId: id };
}

function listed(names: readonly string[]): string {
  return names.join(", ");
}
