import type { Log } from "@drover/daemon/log";
import { createLoop } from "@drover/daemon/loop";
import type { Service } from "@drover/daemon/service";
import type { Wakeups } from "@drover/db/listen";
import { listRolling } from "@drover/db/query/environment";
import type { Deps } from "../operation/context.ts";
import { rollOut } from "../operation/roll-out.ts";

export interface EnvironmentLoopOptions {
  deps: Deps;
  log: Log;
  wakeups: Pick<Wakeups, "subscribe">;
  /** The longest wait: what nobody hinted at may be late by it. */
  idleMs?: number;
}

/** Replicas that change in crowds are looked at together. */
const gatherMs = 20;

/**
 * Has replicas follow what is declared, environment by environment, when a node has said something of one, when an
 * updated one has been healthy for long enough, and every few seconds. Safe on any number of replicas of the API.
 */
export function createEnvironmentLoop({ deps, log, wakeups, idleMs = 5_000 }: EnvironmentLoopOptions): Service {
  const loop = createLoop({
    name: "roll out environments",
    intervalMs: idleMs,
    jitter: 0,
    log,
    async run(signal) {
      let nextMs = idleMs;
      for (const id of await listRolling(deps.db)) {
        if (signal.aborted) break;
        try {
          const { nextSeconds } = await rollOut(deps, id);
          if (nextSeconds !== undefined) nextMs = Math.min(nextMs, Math.ceil(nextSeconds * 1000) + 2);
        } catch (error) {
          // What is wrong with one environment must not hold up the others.
          log.error({ error, environment: id }, "an environment could not be rolled out; it is tried again");
        }
      }
      return { nextMs };
    },
  });
  let unsubscribe = () => {};
  let gathering: NodeJS.Timeout | undefined;
  return {
    name: loop.name,
    async start() {
      unsubscribe = wakeups.subscribe((hint) => {
        if (!hint.startsWith("environment:") && hint !== "reconnected") return;
        gathering ??= setTimeout(() => {
          gathering = undefined;
          loop.wake();
        }, gatherMs);
      });
      await loop.start();
    },
    async stop(deadline) {
      unsubscribe();
      clearTimeout(gathering);
      await loop.stop(deadline);
    },
  };
}
