import { noTries } from "./backoff.ts";
import { bringUp, listed, remove, status, type Step, type StepInput, stop } from "./replica-start.ts";
import { takeEnd, watch } from "./replica-run.ts";
import { type FoundContainer, isCurrent, type ReplicaMemory } from "./replica-memory.ts";

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
  if (found === undefined && input.isNameTaken) {
    return { memory, status: status(memory, "starting", "Waits until the container in its place is removed.") };
  }
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

function whyReplaced({ desired, isDriftMended }: StepInput, found: FoundContainer): string | undefined {
  if (!isCurrent(desired, found)) {
    return found.specHash === desired.specHash ? "Is made anew." : "Is made anew after a change of its service.";
  }
  if (found.fault !== undefined) return `Is made anew: ${found.fault}`;
  if (!isDriftMended || found.drift.length === 0) return undefined;
  return `Is made anew, since it was changed by hand: ${listed(found.drift.map(({ field }) => field))}.`;
}
