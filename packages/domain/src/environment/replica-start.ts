import { isGivenUp, restartDelayMs } from "./backoff.ts";
import type { RestartPolicy } from "./declaration.ts";
import type {
  DesiredReplica,
  FoundContainer,
  Health,
  ReplicaAction,
  ReplicaMemory,
  ReplicaStatus,
} from "./replica-memory.ts";

export interface StepInput {
  desired: DesiredReplica;
  /** Undefined: there is none, as a list that succeeded tells. */
  found: FoundContainer | undefined;
  memory: ReplicaMemory | undefined;
  health: Health | undefined;
  /** Names of services that have to be up first. */
  waitsFor: readonly string[];
  /** Another replica of the same number has a container here still, and with it the name. */
  isNameTaken: boolean;
  /** Services that have to be stopped first. */
  stopsAfter: readonly string[];
  /** Since when the engine was away, where it was since the last look: what ended about then ended with it. */
  engineAwaySinceMs?: number;
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

/** What stands before each start: the wait after failures, the image, and what it depends on. */
export function bringUp(
  { desired, waitsFor, nowMs }: StepInput,
  memory: ReplicaMemory,
  action: ReplicaAction,
  why = "",
): Step {
  const { tries, setup, trouble, hasImage } = memory;
  const { restart } = desired.spec.service;
  const isStart = action.kind === "create" || action.kind === "start";
  if (isStart && tries.nextAtMs === Number.POSITIVE_INFINITY) return { memory, status: resting(memory, endedWell) };
  if (isStart && isGivenUp(tries, restart))
    return { memory, status: status(memory, "failed", givenUp(trouble, restart)) };
  const last = setup.nextAtMs > tries.nextAtMs ? setup : tries;
  if (nowMs < last.nextAtMs) {
    // Not the time that is left: it would change with each look, and be told each time.
    const waitSeconds = restartDelayMs(last.failures, restart) / 1000;
    const message = sentences(trouble, `Next try in ${waitSeconds} s.`);
    return { memory, status: status(memory, "failed", message), wakeAtMs: last.nextAtMs };
  }
  const state = trouble === undefined ? "starting" : "failed";
  if (!hasImage) return { memory, action: { kind: "fetch" }, status: status(memory, state, trouble ?? why) };
  if (waitsFor.length > 0) {
    return { memory, status: status(memory, "starting", `Waits for ${listed(waitsFor)}, which it depends on.`) };
  }
  return { memory, action, status: status(memory, state, trouble ?? why) };
}

/** What is said of a replica, beside its health. */
export function status({ restarts }: ReplicaMemory, state: ReplicaStatus["state"], message: string): ReplicaStatus {
  return { state, message, restarts };
}

/** What is said of an end that asks for no restart. */
export const endedWell = "Ended with exit code 0.";

/** What is said of a replica that its restart policy leaves as it ended: well, where that is all that is held against it. */
export function resting(memory: ReplicaMemory, end: string): ReplicaStatus {
  const { trouble = end } = memory;
  return status(
    memory,
    trouble === endedWell ? "stopped" : "failed",
    sentences(trouble, "Its restart policy lets it rest."),
  );
}

/** Says that nothing more is tried. */
export function givenUp(trouble: string | undefined, { maxRestarts = 0 }: RestartPolicy): string {
  if (maxRestarts === 0) return sentences(trouble, "Given up: its restart policy allows no restart.");
  return sentences(trouble, `Given up after ${maxRestarts} restart${maxRestarts === 1 ? "" : "s"}.`);
}

/** Whether a message is one of those by which a node says that it tries nothing more by itself. */
export function hasGivenUp(message: string): boolean {
  return /(^| )Given up(:| after )|(^| )Its restart policy lets it rest\./.test(message);
}

/** Texts as sentences in a row: what others wrote, such as an engine, may lack its full stop. */
export function sentences(...texts: readonly (string | undefined)[]): string {
  return texts
    .flatMap((text) => {
      const said = text?.trim() ?? "";
      return said === "" ? [] : [/[.!?:;…]["')\]]?$/.test(said) ? said : `${said}.`];
    })
    .join(" ");
}

/** Asks the container to end. */
export function stop({ id }: FoundContainer): ReplicaAction {
  return { kind: "stop", containerId: id };
}

/** Removes the container. */
export function remove({ id }: FoundContainer): ReplicaAction {
  return { kind: "remove", containerId: id };
}

/** Names in a row. */
export function listed(names: readonly string[]): string {
  return names.join(", ");
}
