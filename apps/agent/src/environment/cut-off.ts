import type { WantedReplica } from "@drover/db/node/replica";

/** An agent that was just started does not know for how long it has been without the control plane. */
const longestFirstWaitMs = 15_000;

/** Late answers are no disconnection. */
const lateMs = 5000;

export interface CutOff {
  /** The control plane answered, and wants the next sync after so long. */
  answered(nextSyncMs: number): void;
  /** When a replica has to be stopped unless an answer comes; infinite: never. */
  stopAtMs(wanted: WantedReplica): number;
  /** The same before the first answer, by what a container's label says. */
  stopAtMsByLabel(afterSeconds: number): number;
}

/** By when what must not run without the control plane is to be stopped, by this node's own clock. */
export function createCutOff({ now }: { now: () => number }): CutOff {
  const bornMs = now();
  let lastAnswerMs = bornMs;
  let nextSyncMs = 0;
  return {
    answered(next) {
      lastAnswerMs = now();
      nextSyncMs = next;
    },
    stopAtMs({ spec: { service } }) {
      if (service.onDisconnect.kind !== "stop") return Number.POSITIVE_INFINITY;
      // Where syncs are rarer than that, only a missing one tells.
      return lastAnswerMs + Math.max((service.onDisconnect.afterSeconds ?? 0) * 1000, nextSyncMs + lateMs);
    },
    stopAtMsByLabel: (afterSeconds) => bornMs + Math.min(afterSeconds * 1000, longestFirstWaitMs),
  };
}
